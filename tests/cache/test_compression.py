"""Compression that cannot be turned against the reader."""

import os
import struct

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from pitstop.cache.compression import MAX_BYTES, compress, decompress
from pitstop.errors import CacheError


@given(st.binary(max_size=4000), st.integers(1, 9))
def test_what_is_compressed_comes_back(payload: bytes, level: int) -> None:
    """Compressed or not, the payload is the same after reading it."""
    compressed, stored = compress(payload * 3, level=level, at_least=16)
    assert (decompress(stored) if compressed else stored) == payload * 3


def test_compression_is_kept_only_where_it_saves() -> None:
    """Short payloads and those that do not shrink by a tenth stay as they are."""
    noise = os.urandom(4000)
    assert compress(b"a" * 1000) == (False, b"a" * 1000)
    assert compress(noise) == (False, noise)
    assert compress(b"a" * 4000)[0]


def test_a_hostile_entry_reserves_no_memory() -> None:
    """A frame larger than allowed, or than it says, is refused before it is expanded."""
    bomb = zstandard.ZstdCompressor(level=1).compress(bytes(MAX_BYTES + 1))
    for size in (MAX_BYTES + 1, 10, 2**32 - 1):
        with pytest.raises(CacheError, match="bytes long"):
            decompress(struct.pack(">I", size) + bomb)
    with pytest.raises(CacheError):
        decompress(compress(b"a" * 4000)[1], at_most=3999)


@given(st.binary(max_size=60))
def test_other_bytes_are_refused(data: bytes) -> None:
    """What compress did not make raises CacheError, never anything else."""
    with pytest.raises(CacheError):
        decompress(data)


def test_cut_and_changed_frames_are_refused() -> None:
    """Each cut of a good payload is an error."""
    stored = compress(b"abc" * 2000)[1]
    for end in range(len(stored)):
        with pytest.raises(CacheError):
            decompress(memoryview(stored)[:end])
