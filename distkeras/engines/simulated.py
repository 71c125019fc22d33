"""Workers that are only simulated: real gradients, on a virtual clock, in one process.

The rules, the server and the loop of the worker are those that run in Spark; only time is made
up. What happens next is always the earliest event, so the same seeds give the same center, bit
for bit, and a thousand workers fit on a laptop.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from heapq import heappop, heappush

import numpy as np

from distkeras.conversation import Answer, Update, Welcome
from distkeras.engines.conditions import Breakdown, Conditions
from distkeras.errors import Superseded
from distkeras.listener import Listener
from distkeras.schedule import Schedule
from distkeras.server import ParameterServer
from distkeras.worker import Assignment, Rows, WindowRunner, Worker

__all__ = ["Simulation"]


class Simulation:
    """Virtual workers around a real server.

    Args:
        server: the center; its clock is set to the virtual one.
        schedule: which rows when.
        shards: each worker's rows.
        replica: (worker, attempt) -> what trains that worker's windows.
        conditions: the cluster.
        listener: (worker, its replica) -> what is told of its windows; None for nobody.

    Attributes:
        now: virtual seconds since the start.
    """

    def __init__(
        self,
        server: ParameterServer,
        schedule: Schedule,
        shards: Sequence[Rows],
        replica: Callable[[int, int], WindowRunner],
        conditions: Conditions,
        listener: Callable[[Assignment, WindowRunner], Listener | None] = lambda who, replica: None,
    ) -> None:
        conditions.check(len(shards))
        self.server = server
        self.schedule = schedule
        self.replica = replica
        self.conditions = conditions
        self.listener = listener
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._line: deque[tuple[_Process, Update]] = deque()
        self._free = 0.0
        # As of a worker that there is not: the workers' own draws stay what they are.
        self._random = np.random.default_rng([conditions.seed, len(shards)])
        self._waiting: list[tuple[_Process, Update]] = []
        self._processes = [_Process(self, number, rows) for number, rows in enumerate(shards)]
        server.now = lambda: self.now

    def run(self, watch: Callable[[], None] = lambda: None) -> float:
        """Lets the workers train to their end.

        Args:
            watch: called after every event.

        Returns:
            The virtual seconds that it took.

        Raises:
            TrainingError: as the server says.
        """
        for process in self._processes:
            process.begin()
        for breakdown in self.conditions.breakdowns:
            self.after(breakdown.at, partial(self._break, breakdown))
        while self._events:
            self.now, _, event = heappop(self._events)
            event()
            watch()
        return self.now

    def after(self, seconds: float, event: Callable[[], None]) -> None:
        """Has something happen; of two events at the same time the one that was asked for first."""
        self._at(self.now + seconds, event)

    def arrives(self, process: _Process, update: Update) -> None:
        """A window reaches the server, and is served after those that came before it."""
        self._line.append((process, update))
        seconds = self.conditions.service.draw(self._random) / self.conditions.servers
        self._free = max(self._free, self.now) + seconds
        if self._free > self.now:
            self._at(self._free, self._served)
        else:
            self._served()

    def settle(self) -> None:
        """Answers those who wait, where their windows were merged."""
        before = len(self._waiting)
        waiting, self._waiting = self._waiting, []
        for process, update in waiting:
            with suppress(Superseded):  # Its process broke down; the next attempt is at work.
                answer = self.server.offer(update)
                if answer is None:
                    self._waiting.append((process, update))
                else:
                    process.is_answered(answer)
        if 0 < len(self._waiting) < before:
            self.settle()  # The last one to come completed the round of those before it.

    def _at(self, time: float, event: Callable[[], None]) -> None:
        heappush(self._events, (time, self._count, event))
        self._count += 1

    def _served(self) -> None:
        """The first in the line has been; all whose windows are merged by it are answered."""
        self._waiting.append(self._line.popleft())
        self.settle()

    def _break(self, breakdown: Breakdown) -> None:
        process = self._processes[breakdown.worker]
        if process.alive:
            process.alive = False
            following = process.following()
            self._processes[breakdown.worker] = following
            self.after(breakdown.restart, following.begin)


class _Process:
    """One attempt at a partition: a chain of events that ends when the process breaks down.

    A message that is on its way arrives all the same, as it would in a network.
    """

    def __init__(self, simulation: Simulation, number: int, rows: Rows, attempt: int = 0) -> None:
        self._simulation = simulation
        self._number, self._rows, self._attempt = number, rows, attempt
        self._random = np.random.default_rng([simulation.conditions.seed, number, attempt])
        self._asked = 0.0
        self._under_way = False
        self._answer: Answer | None = None
        self._then: Callable[[], None] | None = None
        self.alive = True

    def following(self) -> _Process:
        """The next attempt."""
        return _Process(self._simulation, self._number, self._rows, self._attempt + 1)

    def begin(self) -> None:
        """Starts the process."""
        simulation = self._simulation
        who = Assignment(self._number, self._attempt)
        replica = simulation.replica(self._number, self._attempt)
        listener = simulation.listener(who, replica)
        rule, schedule = simulation.server.rule, simulation.schedule
        self._worker = Worker(who, self._rows, replica, rule, schedule, listener)
        self._tell(self._joins)

    def is_answered(self, answer: Answer) -> None:
        """The server has merged the window that was sent."""
        self._hear(lambda: self._hears(answer))

    def _joins(self) -> None:
        with suppress(Superseded):
            welcome = self._simulation.server.join(self._number, self._attempt, len(self._rows))
            self._hear(lambda: self._starts(welcome))

    def _starts(self, welcome: Welcome) -> None:
        self._worker.start(welcome)
        self._trains()

    def _trains(self) -> None:
        if not self._worker.window():
            self._until_answered(self._ends)
            return
        conditions = self._simulation.conditions
        times = [conditions.compute.draw(self._random) for _ in range(self._worker.batches)]
        slowdown = conditions.slowdown.get(self._number, 1.0)
        self._after(sum(times) * slowdown, lambda: self._until_answered(self._sends))

    def _sends(self) -> None:
        update = self._worker.update()
        self._under_way = True
        self._tell(lambda: self._simulation.arrives(self, update))
        if self._simulation.server.overlap:
            self._trains()
        else:
            self._until_answered(self._trains)

    def _until_answered(self, then: Callable[[], None]) -> None:
        """Stands still while an exchange is under way, adopts what is answered, and goes on."""
        self._asked, self._then = self._simulation.now, then
        self._goes_on()

    def _hears(self, answer: Answer) -> None:
        self._answer = answer
        self._goes_on()

    def _goes_on(self) -> None:
        if self._then is None or (self._under_way and self._answer is None):
            return
        then, self._then = self._then, None
        if self._answer is not None:
            self._worker.adopt(self._answer, self._simulation.now - self._asked)
            self._under_way, self._answer = False, None
        then()

    def _ends(self) -> None:
        self._worker.end()
        self._tell(self._leaves)

    def _leaves(self) -> None:
        with suppress(Superseded):
            self._simulation.server.leave(self._number, self._attempt, self._worker.wait)
            self.alive = False
            self._simulation.settle()

    def _tell(self, event: Callable[[], None]) -> None:
        """Has something happen at the server."""
        self._simulation.after(self._delay(), event)

    def _hear(self, event: Callable[[], None]) -> None:
        """Has something happen here because the server said so."""
        self._after(self._delay(), event)

    def _after(self, seconds: float, event: Callable[[], None]) -> None:
        def unless_broken() -> None:
            if self.alive:
                event()

        self._simulation.after(seconds, unless_broken)

    def _delay(self) -> float:
        return self._simulation.conditions.delay.draw(self._random)
