"""Slices, and codecs that pack each of them by itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distkeras.codecs import CODECS, bfloat16, int8
from distkeras.errors import ConfigError
from distkeras.shards.cuts import Cuts


@given(st.integers(1, 10_000).flatmap(lambda p: st.tuples(st.just(p), st.integers(1, min(p, 9)))))
def test_slices_are_the_whole_vector_in_order(of: tuple[int, int]) -> None:
    cuts = Cuts(*of)
    vector = np.arange(cuts.size)
    assert np.concatenate([vector[place] for place in cuts.slices]).tolist() == vector.tolist()
    assert len(cuts.sizes) == cuts.count
    assert min(cuts.sizes) >= 1
    assert max(cuts.sizes) - min(cuts.sizes) <= 2 * 1024


@pytest.mark.parametrize("count", [0, 4])
def test_a_slice_has_a_weight(count: int) -> None:
    said = f"num_parameter_servers is {count}, but the model has 3 weights, and each server must"
    with pytest.raises(ConfigError, match=said):
        Cuts(3, count)


@pytest.mark.parametrize("name", CODECS)
def test_a_codec_packs_each_slice_by_itself(name: str) -> None:
    cuts, codec = Cuts(5000, 3), CODECS[name]()
    vector = np.random.default_rng(0).normal(size=5000).astype(np.float32)
    packed = cuts.codec(codec).pack(vector)
    assert packed.buffer.nbytes == cuts.codec(codec).length(5000)
    pieces = list(cuts.buffers(codec, packed.buffer))
    for place, piece in zip(cuts.slices, pieces, strict=True):
        alone = codec.pack(vector[place])
        assert piece.tobytes() == alone.buffer.tobytes()
        np.testing.assert_array_equal(packed.vector[place], alone.vector)


@pytest.mark.parametrize("codec", [bfloat16(), int8()], ids=lambda one: one.name)
def test_blocks_of_slices_are_those_of_the_whole(codec: object) -> None:
    vector = np.random.default_rng(0).normal(size=5000).astype(np.float32)
    whole = codec.pack(vector).vector
    np.testing.assert_array_equal(Cuts(5000, 3).codec(codec).pack(vector).vector, whole)
