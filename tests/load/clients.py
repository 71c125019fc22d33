"""A process of light workers; see ``tests.load``.

    python -m tests.load.clients HOST PORT FIRST COUNT PAUSE

Reads the run's token, in hex, from its standard input. Each worker sends windows until the server
says that no more are wanted, pauses before each for ``PAUSE`` seconds on average, and now and then
loses its connection or is tried again as another attempt. Writes what each has sent as JSON.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from dataclasses import asdict, dataclass, field

import numpy as np

from distkeras.conversation import Answer, Update
from distkeras.transport.client import TcpChannel
from tests.transport.peers import PATIENCE

#: P: a worker adds 1 to the element of its own number, and finds there how often it did.
SIZE = 1024
#: In each partition.
ROWS = 64
#: Of a hundred windows, those after which the connection is lost, and the worker tried again.
LOST, AGAIN = 2, 2


@dataclass
class Sent:
    """What one worker has sent.

    Attributes:
        partition: its number.
        windows: that were answered.
        rows: in them.
        attempts: that were made.
        longest: seconds that an exchange took at most.
        wrong: what was answered that should not be; empty where all was well.
    """

    partition: int
    windows: int = 0
    rows: int = 0
    attempts: int = 0
    longest: float = 0.0
    wrong: list[str] = field(default_factory=list)


class LightWorker:
    """Keeps no model and computes nothing.

    Args:
        address: of the server.
        token: the run's secret.
        partition: its number.
        pause: seconds between two windows, on average.
    """

    def __init__(
        self, address: tuple[str, int], token: bytes, partition: int, pause: float
    ) -> None:
        self._place = address, token, SIZE, PATIENCE
        self._pause = pause
        self._random = random.Random(partition)
        self._vector = np.zeros(SIZE, np.float32)
        self._vector[partition] = 1
        self.sent = Sent(partition)

    def run(self) -> None:
        """Attempt after attempt, until the server has enough."""
        try:
            while not self._attempt():
                pass
        except Exception as error:  # noqa: BLE001 - whatever it is, the report tells it
            self.sent.wrong.append(repr(error))

    def _attempt(self) -> bool:
        """Until it breaks down, or until no more windows are wanted; whether they are not."""
        sent = self.sent
        with TcpChannel(*self._place) as channel:
            welcome = channel.join(sent.partition, sent.attempts, ROWS)
            sent.attempts += 1
            self._expect("welcome", welcome.sequence, sent.windows)
            stop = welcome.stop
            while not stop:
                time.sleep(self._random.uniform(0, 2 * self._pause))
                stop = self._exchange(channel).stop
                fate = self._random.randrange(100)
                if fate < LOST:
                    channel.__exit__(None, None, None)  # The next call connects again.
                elif fate < LOST + AGAIN and not stop:
                    return False
            channel.leave(sent.partition, sent.attempts - 1, 0.0)
        return True

    def _exchange(self, channel: TcpChannel) -> Answer:
        sent = self.sent
        rows = 1 + self._random.randrange(ROWS)
        who = sent.partition, sent.attempts - 1
        update = Update(*who, 0, sent.windows, rows, np.float32([0.5]), self._vector, 0.0)
        started = time.perf_counter()
        answer = channel.exchange(update)
        sent.longest = max(sent.longest, time.perf_counter() - started)
        sent.windows, sent.rows = sent.windows + 1, sent.rows + rows
        self._expect("center", float(answer.vector[sent.partition]), float(sent.windows))
        return answer

    def _expect(self, what: str, found: float, wanted: float) -> None:
        if found != wanted:
            self.sent.wrong.append(f"{what} was {found}, not {wanted}")


def main(host: str, port: str, first: str, count: str, pause: str) -> None:
    """Runs the workers, each in a thread."""
    token = bytes.fromhex(sys.stdin.readline())
    partitions = range(int(first), int(first) + int(count))
    address = host, int(port)
    workers = [LightWorker(address, token, one, float(pause)) for one in partitions]
    threads = [threading.Thread(target=worker.run) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    json.dump([asdict(worker.sent) for worker in workers], sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
