"""Ten thousand frames that are wrong in every way that there is: see ``tests.fuzz``.

``make fuzz`` plays more than a million of them, and looks for those that reach new code.
"""

from __future__ import annotations

import logging
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from distkeras.codecs import codec_of
from tests.fuzz.making import Seeded
from tests.fuzz.parser import Parser
from tests.fuzz.reading import BROKEN
from tests.fuzz.target import Target

#: Ten thousand in all.
PARSED, SERVED = 5500, 3600
#: Of each codec that loses something, besides.
PACKED = 300
#: Bytes that all of it may take: a history of its windows, and a frame now and then.
MEMORY = 16 * 2**20


@contextmanager
def bounded_memory() -> Iterator[None]:
    """What is allocated counts, used or not: an announced length alone would show."""
    tracemalloc.start(1)
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
        assert peak < MEMORY
    finally:
        tracemalloc.stop()


def played(target: Parser | Target, frames: int) -> Counter[str]:
    seed = 0
    while target.counts.total() < frames:
        target.play(Seeded(seed))
        seed += 1
    return target.counts


def test_the_parser_takes_frames_and_nothing_else() -> None:
    with bounded_memory(), Parser(odds=16) as parser:
        counts = played(parser, PARSED)
    assert {"whole", "cut off", *BROKEN} <= set(+counts), counts


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_a_live_server_keeps_its_center_its_workers_and_its_memory(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.ERROR, "distkeras")  # Thousands of warnings are as they should be.
    with bounded_memory(), Target(odds=24) as target:
        counts = played(target, SERVED)
    refused = [f"refused: {name}" for name in ("ProtocolError", "TrainingDiverged", "DataError")]
    answered = [f"answered: {verb}" for verb in ("UPDATE", "again", "JOIN", "LEAVE", "FAIL")]
    unheard = [f"closed: {what}" for what in ("cut off", *BROKEN)]
    strangers = ["not proven: refused", "not proven: too long"]
    wanted = {*refused, "refused: Superseded", *answered, *unheard, *strangers}
    assert wanted <= set(+counts), wanted - set(+counts)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", ["bfloat16", "int8", "top-k"])
def test_so_does_one_whose_vectors_are_packed(name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, "distkeras")
    with bounded_memory(), Target(odds=24, codec=codec_of(name)) as target:
        counts = played(target, PACKED)
    refused = [f"refused: {name}" for name in ("ProtocolError", "TrainingDiverged")]
    wanted = {*refused, "answered: UPDATE", "answered: again", "answered: JOIN"}
    assert wanted <= set(+counts), wanted - set(+counts)
