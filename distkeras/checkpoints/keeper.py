"""Saves a training now and then, and finds the checkpoint that it can go on from."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Mapping
from contextvars import copy_context
from functools import partial
from typing import Any

from distkeras import storage
from distkeras.checkpoints.content import Saved, pack, unpack
from distkeras.checkpoints.spec import ENDING, Checkpoint, is_begun, is_whole
from distkeras.errors import ConfigError, DataError, DistkerasError, StorageError
from distkeras.logs import logger

__all__ = ["Keeper"]

log = logger(__name__)

#: So many are kept: the newest may turn out to be damaged.
KEPT = 2


class Keeper:
    """Keeps the checkpoints of one training.

    Args:
        spec: where and how often.
        identity: what the training is, as JSON; only its own checkpoints are gone on from.
        take: all that is to be saved, at one moment.
    """

    def __init__(
        self, spec: Checkpoint, identity: Mapping[str, Any], take: Callable[[], Saved]
    ) -> None:
        self._spec, self._identity, self._take = spec, dict(identity), take
        self._place = storage.locate(spec.url)
        self._files = storage.files_of(self._place)
        self._writing: threading.Thread | None = None
        self._since, self._clock = time.monotonic(), 0

    def find(self) -> Saved | None:
        """The newest checkpoint that is whole; None where there is none.

        Raises:
            ConfigError: it is another training's.
            StorageError: the place cannot be looked at.
        """
        if self._files.entry(str(self._place)) is None:
            return None
        for name in reversed(self._names()):
            try:
                saved = unpack(self._files.read(str(self._place / name)))
            except (DataError, StorageError, ValueError, LookupError, TypeError) as problem:
                log.warning("%s: left out: %s", self._place / name, problem)
                continue
            self._check(saved, name)
            self._clock = saved.snapshot.clock
            return saved
        return None

    def look(self, clock: int) -> None:
        """Begins to write a checkpoint, if it is time to and none is being written.

        Args:
            clock: updates merged so far.
        """
        if self._due(clock) and not (self._writing and self._writing.is_alive()):
            self._since, self._clock = time.monotonic(), clock
            write = partial(copy_context().run, self._write, self._take())
            self._writing = threading.Thread(target=write, name="distkeras-checkpoint")
            self._writing.start()

    def wait(self) -> None:
        """Waits for what is being written."""
        if self._writing is not None:
            self._writing.join()

    def finish(self) -> None:
        """The training has ended well."""
        self.wait()
        if not self._spec.keep:
            self._spec.remove()
        elif (saved := self._take()).snapshot.clock > self._clock:
            self._write(saved)

    def _due(self, clock: int) -> bool:
        seconds, windows = self._spec.every_seconds, self._spec.every_windows
        if clock == self._clock:
            return False
        if windows is not None and clock - self._clock >= windows:
            return True
        return seconds is not None and time.monotonic() - self._since >= seconds

    def _write(self, saved: Saved) -> None:
        """Not being able to is no reason to end the training: it is tried again later."""
        final = self._place / f"{saved.snapshot.clock:012}{ENDING}"
        staged = str(self._place / f".{uuid.uuid4().hex}-{final.name}")
        started = time.monotonic()
        try:
            self._files.make_directory(str(self._place))
            self._files.write(staged, partial(pack, saved))
            self._files.flush(staged)
            self._files.rename(staged, str(final), replace=True)
            self._remove_old()
            log.info("%s: checkpoint written, %.1f s", final, time.monotonic() - started)
        except (DistkerasError, OSError) as problem:
            self._files.discard(staged)
            log.warning("no checkpoint could be written, training goes on: %s", problem)

    def _remove_old(self) -> None:
        names = [entry.name for entry in self._files.entries(str(self._place))]
        old = list(filter(is_whole, names))[:-KEPT]
        for name in [*old, *filter(is_begun, names)]:
            self._files.discard(str(self._place / name))

    def _names(self) -> list[str]:
        """The checkpoints, the oldest first."""
        entries = self._files.entries(str(self._place))
        return [entry.name for entry in entries if is_whole(entry.name)]

    def _check(self, saved: Saved, name: str) -> None:
        for key in sorted({*saved.identity, *self._identity}):
            before, now = saved.identity.get(key), self._identity.get(key)
            if before != now:
                raise ConfigError(
                    f"{self._place / name} is of another training: {key} was {before!r}, not "
                    f"{now!r}; remove it, or choose another place"
                )
