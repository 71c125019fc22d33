"""Each codec by itself: what it loses at most, and what it refuses."""

from __future__ import annotations

import pickle
from contextlib import suppress
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from distkeras.codecs import CODECS, NUMBERS, RAW, Codec, bfloat16, codec_of, int8, top_k
from distkeras.codecs.int8 import BLOCK
from distkeras.errors import ConfigError, ProtocolError
from distkeras.vectors import Vector

ALL = [make() for make in CODECS.values()]
each = pytest.mark.parametrize("codec", ALL, ids=lambda codec: codec.name)
#: Around the ends of blocks, and of the blocks that are worked on at once.
SIZES = (1, 2, 3, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 64 * BLOCK, 65 * BLOCK + 7)
TINY = float(np.finfo(np.float32).tiny)

numbers = st.floats(-(2.0**100), 2.0**100, width=32)
vectors = hnp.arrays(np.float32, st.integers(1, 40), elements=numbers)
anything = hnp.arrays(np.float32, st.integers(1, 40), elements=st.floats(width=32))


def normal(size: int) -> Vector:
    return np.random.default_rng(size).normal(size=size).astype(np.float32)


@each
@given(vector=vectors)
def test_what_arrives_is_a_new_vector_of_the_same_length(codec: Codec, vector: Vector) -> None:
    before = vector.copy()
    vector.flags.writeable = False
    packed = codec.pack(vector)
    np.testing.assert_array_equal(vector, before)
    assert (packed.buffer.dtype, packed.buffer.ndim) == (np.uint8, 1)
    assert len(packed.buffer) == codec.length(len(vector))
    assert (packed.vector.dtype, packed.vector.shape) == (np.float32, vector.shape)
    again = codec.unpack(np.frombuffer(packed.buffer.tobytes(), np.uint8), len(vector))
    np.testing.assert_array_equal(again, packed.vector)


@each
@pytest.mark.parametrize("size", SIZES)
def test_what_is_lost_is_less_than_what_there_was(codec: Codec, size: int) -> None:
    vector = normal(size)
    lost = np.linalg.norm(vector - codec.pack(vector).vector)
    # Of a codec that loses everything, or more than there was, nothing would ever be sent.
    assert lost <= 0.999 * np.linalg.norm(vector)


@each
@given(vector=anything)
def test_a_vector_that_is_not_finite_does_not_become_finite(codec: Codec, vector: Vector) -> None:
    vector[0] = np.nan
    assert not np.isfinite(codec.pack(vector).vector).all()
    vector[0] = -np.inf
    assert not np.isfinite(codec.pack(vector).vector).all()


@each
@given(data=st.data(), size=st.integers(1, 300))
def test_any_bytes_are_a_vector_or_a_protocol_error(
    codec: Codec, data: st.DataObject, size: int
) -> None:
    length = codec.length(size)
    content = data.draw(st.binary(min_size=length, max_size=length))
    with suppress(ProtocolError):
        vector = codec.unpack(np.frombuffer(content, np.uint8), size)
        assert (vector.shape, vector.dtype) == ((size,), np.float32)


@each
@pytest.mark.parametrize("wrong", [-1, 1, -8, 8])
def test_another_length_is_refused(codec: Codec, wrong: int) -> None:
    buffer = np.zeros(codec.length(100) + wrong, np.uint8)
    with pytest.raises(ProtocolError, match=f"^{len(buffer)} bytes are not 100 numbers as "):
        codec.unpack(buffer, 100)


@each
def test_it_travels_to_spark(codec: Codec) -> None:
    there, vector = pickle.loads(pickle.dumps(codec)), normal(50)
    np.testing.assert_array_equal(there.pack(vector).buffer, codec.pack(vector).buffer)


def test_each_has_a_number_of_its_own() -> None:
    assert len(NUMBERS) == len(ALL)
    assert [codec.number for codec in ALL if not codec.lossy] == [0]
    assert all(codec.answers.length(10**6) <= 2 * 10**6 for codec in ALL if codec.lossy)


@given(anything)
def test_none_loses_nothing(vector: Vector) -> None:
    assert RAW.pack(vector).vector.tobytes() == vector.tobytes()


@given(st.floats(0, 2.0**126, width=32))
@example(1 + 2**-8)  # Half-way to the next: to the even one, which is below.
@example(1 + 3 * 2**-8)  # Half-way: to the even one, which is above.
def test_bfloat16_is_the_nearest_and_of_two_the_even_one(number: float) -> None:
    packed = bfloat16().pack(np.float32([number]))
    (bits,) = packed.buffer.view(np.uint16).tolist()
    assert bfloat16().pack(np.float32([-number])).vector == -packed.vector
    around = np.array([max(bits - 1, 0), bits, bits + 1], np.uint32) << 16
    below, found, above = (Fraction(float(one)) for one in around.view(np.float32))
    away = abs(found - Fraction(number))
    assert away <= abs(below - Fraction(number))
    assert away <= abs(above - Fraction(number))
    if away in (abs(below - Fraction(number)), abs(above - Fraction(number))) and away:
        assert bits % 2 == 0


@given(vectors)
def test_bfloat16_loses_a_256th_at_most(vector: Vector) -> None:
    lost = np.abs(vector - bfloat16().pack(vector).vector)
    normal_ones = np.abs(vector) >= TINY
    assert (lost[normal_ones] <= np.abs(vector[normal_ones]) / 256).all()


@given(vectors, st.sampled_from(SIZES))
def test_int8_loses_half_a_step_of_its_block_at_most(values: Vector, size: int) -> None:
    vector = np.resize(values, size)
    lost = np.abs(vector - int8().pack(vector).vector)
    for start in range(0, size, BLOCK):
        block = slice(start, start + BLOCK)
        step = float(np.abs(vector[block]).max()) / 127
        # Half a step and float32's rounding of the step; or all of what is next to nothing.
        assert lost[block].max() <= step * 0.50001 + 127 * TINY


def test_int8_has_a_scale_for_each_block() -> None:
    vector = np.ones(2 * BLOCK, np.float32)
    vector[:BLOCK] = 1e20
    vector[5] = np.nan
    arrived = int8().pack(vector).vector
    assert np.isnan(arrived[:BLOCK]).all()
    np.testing.assert_array_equal(arrived[BLOCK:], 1)


def test_int8_takes_what_is_next_to_nothing() -> None:
    vector = np.full(BLOCK, 1e-44, np.float32)
    np.testing.assert_array_equal(int8().pack(vector).vector, 0)


@given(vectors, st.floats(0.01, 0.5))
def test_top_k_sends_the_largest_as_they_are(vector: Vector, fraction: float) -> None:
    codec = top_k(fraction)
    arrived = codec.pack(vector).vector
    kept = codec.length(len(vector)) // 8
    assert kept == max(1, int(np.ceil(fraction * len(vector))))
    sent = arrived != 0
    np.testing.assert_array_equal(arrived[sent], vector[sent])
    assert sent.sum() == min(kept, np.count_nonzero(vector))
    if sent.any() and not sent.all():
        assert np.abs(vector[sent]).min() >= np.abs(vector[~sent]).max()


@pytest.mark.parametrize(
    ("places", "complaint"),
    [((3, 1), "not in order"), ((2, 2), "not in order"), ((1, 10), "not in order")],
)
def test_places_that_cannot_be_are_refused(places: tuple[int, ...], complaint: str) -> None:
    buffer = np.concatenate([np.uint32(places), np.float32([1, 1]).view(np.uint32)])
    with pytest.raises(ProtocolError, match=complaint):
        top_k(0.2).unpack(buffer.view(np.uint8), 10)


@pytest.mark.parametrize("scale", [-1.0, -np.inf, np.inf])
def test_scales_that_cannot_be_are_refused(scale: float) -> None:
    buffer = np.concatenate([np.float32([1, scale]).view(np.uint8), np.ones(1030, np.uint8)])
    with pytest.raises(ProtocolError, match=f"scale of block 1 is {scale}"):
        int8().unpack(buffer, 1030)


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        (None, "none"),
        ("none", "none"),
        ("bfloat16", "bfloat16"),
        ("int8", "int8"),
        ("top-k", "top-k:0.01"),
        ("top-k:0.05", "top-k:0.05"),
        ("top-k:0.5", "top-k:0.5"),
    ],
)
def test_what_a_user_asks_for(asked: str | None, name: str) -> None:
    assert codec_of(asked).name == name


@pytest.mark.parametrize(
    "asked",
    [
        *("gzip", "", "INT8", "int8:4", "top-k:", "top-k:0", "top-k:0.6", "top-k:nan", "top-k:x"),
        *(8, True, 0.05, ["int8"]),
    ],
)
def test_what_there_is_not_is_quoted(asked: object) -> None:
    with pytest.raises(ConfigError) as refusal:
        codec_of(asked)
    assert f"compression is {asked!r}, but must be None, " in str(refusal.value)
    assert "\n" not in str(refusal.value)
