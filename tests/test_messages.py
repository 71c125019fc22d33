"""Headers travel unchanged, and nothing else is taken for one."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distkeras.codecs import NUMBERS
from distkeras.errors import ProtocolError
from distkeras.messages import HEADER, Header, Kind, proof

u32 = st.integers(0, 2**32 - 1)
u64 = st.integers(0, 2**64 - 1)
headers = st.builds(
    Header,
    kind=st.sampled_from(Kind),
    partition=u32,
    attempt=u64,
    epoch=u32,
    sequence=u64,
    rows=u64,
    staleness=u32,
    wait=st.floats(width=32, allow_nan=False),
    cpu=st.floats(width=32, allow_nan=False),
    length=u64,
    stop=st.booleans(),
    codec=st.sampled_from(list(NUMBERS)),
)


@given(headers)
def test_a_header_travels_unchanged(header: Header) -> None:
    data = header.pack()
    assert len(data) == HEADER.size == 60
    assert Header.unpack(data) == header
    assert Header.unpack(bytearray(data)) == header
    assert isinstance(Header.unpack(data).kind, Kind)


@pytest.mark.parametrize(
    ("offset", "value", "complaint"),
    [
        (0, b"HTTP", r"starts with b'HTTP'"),
        (4, b"\x01", "version 1"),
        (5, b"\x00", "kind 0"),
        (5, b"\xff", "kind 255"),
        (6, b"\x63", "codec 99"),
    ],
)
def test_what_is_no_header_is_refused_by_name(offset: int, value: bytes, complaint: str) -> None:
    data = bytearray(Header(Kind.JOIN).pack())
    data[offset : offset + len(value)] = value
    with pytest.raises(ProtocolError, match=complaint) as refusal:
        Header.unpack(data)
    assert "\n" not in str(refusal.value)


@given(st.binary(min_size=60, max_size=60))
def test_any_other_bytes_are_a_protocol_error(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        Header.unpack(data)


@given(st.integers(0, 59), st.integers(0, 255), headers)
def test_a_changed_byte_is_a_header_or_a_protocol_error(
    place: int, value: int, header: Header
) -> None:
    data = bytearray(header.pack())
    data[place] = value
    try:
        Header.unpack(data)
    except ProtocolError:
        assert place < 7  # Only magic, version, kind and codec can be wrong in themselves.


def test_a_number_that_does_not_fit_is_not_cut_short() -> None:
    with pytest.raises(struct.error):
        Header(Kind.JOIN, rows=2**64).pack()


def test_a_proof_depends_on_token_role_and_both_nonces() -> None:
    first, second = b"a" * 32, b"b" * 32
    proofs = {
        proof(b"token", b"worker", first, second),
        proof(b"other", b"worker", first, second),
        proof(b"token", b"server", first, second),
        proof(b"token", b"worker", second, first),
        proof(b"token", b"worker", first, first),
    }
    assert len(proofs) == 5
    assert all(len(made) == 32 for made in proofs)
    assert proof(b"token", b"worker", first, second) in proofs
