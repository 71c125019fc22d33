"""How many pages are told of news at once: some for each user, and not too many over all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Stream", "Streams"]

#: Streams of one user; with one more the oldest ends.
EACH = 6
#: Of all users together, so that connections are left for the jobs' clients.
MOST = 200


class Stream:
    """One page that is told of news.

    Attributes:
        identity: the user.
        replaced: newer ones of the user's have taken its place.
    """

    def __init__(self, identity: str) -> None:
        self.identity, self.replaced = identity, False


class Streams:
    """The streams of one server; used by its event loop only.

    That the newest one wins has a reason: a phone that lost its network is not known to have gone
    for a quarter of an hour, and its user is not to be locked out by it.

    Args:
        each: of one user.
        most: of all together.
    """

    def __init__(self, each: int = EACH, most: int = MOST) -> None:
        self._each, self._most = each, most
        self._open: list[Stream] = []
        self.over = False

    def full(self) -> bool:
        """Whether there are as many as there may be."""
        return len(self._open) >= self._most

    @contextmanager
    def opened(self, stream: Stream) -> Iterator[None]:
        """Counts a stream until it is left; the user's oldest may have to give way to it."""
        live = self._live(stream.identity)
        for one in live[: max(0, len(live) + 1 - self._each)]:
            one.replaced = True
        self._open.append(stream)
        try:
            yield
        finally:
            self._open.remove(stream)

    def end(self) -> None:
        """The server ends; so do all, and it does not wait for them."""
        self.over = True

    def _live(self, identity: str) -> list[Stream]:
        return [one for one in self._open if one.identity == identity and not one.replaced]
