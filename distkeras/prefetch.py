"""Doing the next of something while the last is still in use."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from queue import Full, Queue
from typing import Any, TypeVar

__all__ = ["ahead"]

T = TypeVar("T")

#: Seconds between two looks whether anybody still wants more.
POLL = 0.2


def ahead(items: Iterator[T], depth: int) -> Generator[T, None, None]:
    """The items, of which up to ``depth`` are made ahead, in a thread.

    Args:
        items: made one after another; what they raise is raised here.
        depth: at least 1; 0 makes each when it is asked for, without a thread.
    """
    if not depth:
        yield from items
        return
    made: Queue[Any] = Queue(depth)
    ended = threading.Event()
    thread = threading.Thread(target=_make, args=(items, made, ended), daemon=True)
    thread.start()
    try:
        while True:
            item, error, last = made.get()
            if error is not None:
                raise error
            if last:
                return
            yield item
    finally:
        ended.set()
        thread.join()


def _make(items: Iterator[Any], made: Queue[Any], ended: threading.Event) -> None:
    try:
        for item in items:
            if not _put(made, (item, None, False), ended):
                return
        _put(made, (None, None, True), ended)
    except BaseException as error:  # noqa: BLE001 - raised again where the items are wanted
        _put(made, (None, error, False), ended)


def _put(made: Queue[Any], item: Any, ended: threading.Event) -> bool:
    while not ended.is_set():
        try:
            made.put(item, timeout=POLL)
        except Full:
            continue
        return True
    return False
