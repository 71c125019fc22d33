"""Making ahead what is wanted next: the same items in order, errors too, and no thread left."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from distkeras.prefetch import ahead


@pytest.mark.parametrize("depth", [0, 1, 2, 50])
def test_the_items_come_in_order(depth: int) -> None:
    assert list(ahead(iter(range(20)), depth)) == list(range(20))


@pytest.mark.parametrize("depth", [0, 1, 5])
def test_what_making_raises_is_raised_where_the_item_is_wanted(depth: int) -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ZeroDivisionError("in the thread")

    made = ahead(items(), depth)
    assert next(made) == 1
    with pytest.raises(ZeroDivisionError, match="in the thread"):
        next(made)


def test_no_more_than_the_depth_is_made_ahead() -> None:
    made: list[int] = []
    third = threading.Event()

    def items() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            if number == 3:
                third.set()
            yield number

    ready = ahead(items(), 2)
    assert next(ready) == 0
    assert third.wait(10)  # Two wait in the queue, one in the thread's hand.
    assert made == [0, 1, 2, 3]
    ready.close()


def test_closing_early_leaves_no_thread() -> None:
    before = threading.active_count()
    made = ahead(iter(range(1000)), 3)
    assert next(made) == 0
    made.close()
    assert threading.active_count() == before
