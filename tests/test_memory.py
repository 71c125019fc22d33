"""Memory that is used again: never while somebody still holds it."""

from __future__ import annotations

import gc
import threading

import numpy as np
import pytest

from distkeras import memory as module
from distkeras.memory import SPARE, STEP, Memory

BYTES = 3 * STEP


def address(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])


def test_what_nobody_holds_is_used_again() -> None:
    memory = Memory()
    first = memory.take(BYTES)
    place = address(first)
    del first
    assert address(memory.take(BYTES - 5)) == place


def test_a_view_holds_what_it_lies_in() -> None:
    memory = Memory()
    taken = memory.take(BYTES)
    taken[:] = 7
    view = taken[8:].view(np.float32)[1:]
    del taken
    others = [memory.take(BYTES) for _ in range(SPARE)]
    for other in others:
        other[:] = 0
    assert (view.view(np.uint8) == 7).all()


def test_bytes_that_are_being_sent_hold_it_too() -> None:
    memory = Memory()
    taken = memory.take(BYTES)
    taken[:] = 7
    sending = memoryview(taken.data).cast("B")[100:]
    del taken
    memory.take(BYTES)[:] = 0
    assert set(sending) == {7}


def test_a_longer_array_gets_a_longer_block() -> None:
    memory = Memory()
    memory.take(BYTES)[:] = 1
    longer = memory.take(4 * BYTES)
    longer[:] = 2
    assert longer.shape == (4 * BYTES,)


def test_an_empty_frame_and_a_short_one_have_memory_of_their_own() -> None:
    memory = Memory()
    assert memory.take(0).shape == (0,)
    assert memory.take(10).flags.owndata


def test_only_a_few_blocks_are_kept() -> None:
    memory = Memory()
    many = [memory.take(BYTES) for _ in range(3 * SPARE)]
    places = {address(one) for one in many}
    many.clear()
    again = [memory.take(BYTES) for _ in range(SPARE)]
    assert len({address(one) for one in again} & places) == SPARE
    assert len(memory._spare) == 0


def test_threads_never_share_a_block() -> None:
    memory, wrong = Memory(), []

    def use(number: int) -> None:
        for _ in range(300):
            mine = memory.take(BYTES)
            mine[:] = number
            if (mine != number).any():
                wrong.append(number)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gc.collect()
    assert not wrong


def test_of_long_ones_fewer_are_kept_but_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for most, kept in ((2 * BYTES, 2), (1, 1)):
        monkeypatch.setattr(module, "MOST", most)
        memory = Memory()
        many = [memory.take(BYTES) for _ in range(SPARE)]
        many.clear()
        assert len(memory._spare) == kept
