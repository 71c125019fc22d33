"""When a worker's windows are exchanged: before the next is trained, or meanwhile (``overlap``).

Without overlap a worker stands still until the server has answered. With it a thread sends, and
the worker trains on from its own weights. In the notation of ``rules.base``, V_k being the
weights from which window k's vector was made, T the weights that window k + 1 made of V_k:

    A = adopt(V_k, answer_k)         what the worker would have gone on from without overlap
    V_(k+1) = A + (T - V_k)          what it learned meanwhile is kept
    sent: send(W = V_(k+1), W0 = A)

The answer to window k is adopted at the end of window k + 1, whenever it came, and before window
k + 1 is sent: one exchange is under way at most, their order is that of the windows, and what is
computed does not depend on how fast the network is.

So the rules that send a difference send W - W0 = T - V_k: window k + 1 alone, and no step is
merged twice. The elastic rules send weights from which the last elastic difference was taken
already. What each rule makes of it:

- DOWNPOUR: with one worker the same as without overlap, but for rounding.
- ADAG and Experimental give the center the mean step of a window, but the worker has trained on
  from all of them: its next window begins about a window's way ahead of the center.
- DynSGD: tau counts the updates that were merged since the center that this window was trained
  on, of which the worker heard one exchange earlier than without overlap. With n workers of one
  speed it is 2 (n - 1), and each update counts about half as much.
- Experimental measures how far the center has moved since c_k, the center of A. The steps were
  made with the center before it, so the distance is too small by what others did in a window.
- GEM looks at the center's speed between two exchanges, to which overlap does nothing.
- AEASGD and EAMSGD: the spring pulls one window later.

Exactly once: as without overlap. The server keeps V_k and answer_k, and tells the next attempt
to begin window k + 1 from A, or window k once more if it was not merged. What the lost attempt
had trained of window k + 1 is trained again, now from A and not from V_k: another way to learn
the same rows, so that the weights after a breakdown are not bit for bit those without one.

A worker that is asked to stop hears it at the end of a window that it began before the server
knew, and sends that one too: at most one window more than without overlap. Likewise an exchange
that fails is heard of when the window that is trained meanwhile has ended.

Source: Shen, Xu, Liu, Liu, Cheng, "Faster Distributed Deep Net Training: Computation and
Communication Decoupled Stochastic Gradient Descent", IJCAI 2019; arXiv:1906.12043 (CoCoD-SGD,
which corrects a mean of all workers like this). That learning bears the delay: Langford, Smola,
Zinkevich, "Slow Learners are Fast", NIPS 2009; arXiv:0911.0491. A pipeline of this depth for
gradients: Li et al., "Pipe-SGD", NeurIPS 2018; arXiv:1811.03619.

Differs from the papers: there all workers wait for each other at the end of an exchange; here
none does, and the answer is that of any asynchronous rule.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
from queue import SimpleQueue
from types import TracebackType
from typing import Protocol

from distkeras.conversation import Answer, Update
from distkeras.logs import logger
from distkeras.transport import Channel

__all__ = ["Exchanges", "Party", "exchanging"]

log = logger(__name__)

#: Seconds that a worker which is interrupted waits for its thread, which may be connecting.
END_TIMEOUT = 1.0


class Party(Protocol):
    """The worker, as seen from here."""

    def update(self, cpu: float) -> Update:
        """What to send of the window that was trained last, which took these processor seconds."""

    def adopt(self, answer: Answer, wait: float) -> None:
        """Goes on from the answer to it, for which it stood still so many seconds."""


class Exchanges(Protocol):
    """A worker's exchanges, one after another; all raise what the channel raises."""

    def following(self, party: Party) -> None:
        """A window was trained: sends it, and has the answer adopted now or after the next."""

    def last(self, party: Party) -> None:
        """There is no further window: whatever is still to be answered is waited for."""


@contextmanager
def exchanging(channel: Channel, overlap: bool) -> Iterator[Exchanges]:
    """A worker's exchanges.

    Args:
        channel: joined, to the server; while there is overlap only ``abort`` may be called on it.
        overlap: whether the next window is trained meanwhile.
    """
    if not overlap:
        yield AtOnce(channel)
        return
    with Overlapping(channel) as exchanges:
        yield exchanges


class _Used:
    """Processor seconds of this process, all threads together: a worker is one process."""

    def __init__(self) -> None:
        self._before = time.process_time()

    def since(self) -> float:
        """Those since it was last asked, or made."""
        before, self._before = self._before, time.process_time()
        return self._before - before


class AtOnce:
    """Waits for each answer."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._used = _Used()

    def following(self, party: Party) -> None:
        """See ``Exchanges``."""
        update = party.update(self._used.since())
        asked = time.perf_counter()
        answer = self._channel.exchange(update)
        party.adopt(answer, time.perf_counter() - asked)

    def last(self, party: Party) -> None:
        """See ``Exchanges``: nothing is under way."""


class Overlapping:
    """Has a thread wait for each answer; a context manager that ends the thread.

    When the worker fails, the exchange that is under way is waited for, which the channel ends by
    its timeout: so the server knows this window before it hears of the failure. When the worker
    is interrupted, as by Ctrl-C, the exchange is cut off.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._updates: SimpleQueue[Update | None] = SimpleQueue()
        self._answers: SimpleQueue[Answer | BaseException] = SimpleQueue()
        self._used = _Used()
        self._under_way = False
        # The log's lines of the thread are about this worker, too.
        run = copy_context().run
        self._thread = threading.Thread(
            target=run, args=(self._exchange,), name="distkeras-exchange", daemon=True
        )

    def __enter__(self) -> Overlapping:
        """The thread runs."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Ends the thread."""
        self._updates.put(None)
        try:
            if kind is None or issubclass(kind, Exception):
                self._let_end()
        finally:
            if self._under_way:
                self._channel.abort()
            self._thread.join(END_TIMEOUT)

    def following(self, party: Party) -> None:
        """See ``Exchanges``."""
        self.last(party)
        update = party.update(self._used.since())
        self._under_way = True
        self._updates.put(update)

    def last(self, party: Party) -> None:
        """See ``Exchanges``."""
        if self._under_way:
            asked = time.perf_counter()
            answer = self._wait()
            if isinstance(answer, BaseException):
                raise answer
            party.adopt(answer, time.perf_counter() - asked)

    def _let_end(self) -> None:
        """Waits for an exchange whose worker has failed, and logs it if that failed, too."""
        answer = self._wait() if self._under_way else None
        if isinstance(answer, BaseException):
            log.info("its exchange failed, too: %s: %s", type(answer).__name__, answer)

    def _wait(self) -> Answer | BaseException:
        # Not by the thread's join: where that is interrupted, Python takes the thread for ended.
        answer = self._answers.get()
        self._under_way = False
        return answer

    def _exchange(self) -> None:
        """What the thread does."""
        while (update := self._updates.get()) is not None:
            try:
                self._answers.put(self._channel.exchange(update))
            except BaseException as error:  # noqa: BLE001 - raised again where it is awaited
                self._answers.put(error)
