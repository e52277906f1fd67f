"""The stored form of an entry."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitstop.cache.entry import COMPRESSED, NEGATIVE, Entry, pack, unpack, unpack_held

_entries = st.builds(
    dict,
    payload=st.binary(max_size=50),
    tokens=st.lists(st.binary(min_size=8, max_size=8), max_size=12),
    tags=st.none() | st.lists(st.text(max_size=10), max_size=9),
    fresh_until=st.floats(0, 2e9),
    stale_until=st.floats(0, 2e9),
    load_ms=st.floats(0, 1e6),
    flags=st.sampled_from([0, NEGATIVE, COMPRESSED, NEGATIVE | COMPRESSED]),
)


@given(_entries, st.booleans())
def test_entries_come_back(parts: dict, viewed: bool) -> None:  # type: ignore[type-arg]
    """All parts of an entry come back from bytes and from a view of them."""
    data = pack(**parts)
    entry = unpack(memoryview(data) if viewed else data)
    assert entry is not None
    assert entry.tokens == tuple(parts["tokens"])
    assert entry.tags == (None if parts["tags"] is None else tuple(parts["tags"]))
    assert (entry.fresh_until, entry.stale_until) == (parts["fresh_until"], parts["stale_until"])
    assert (entry.load_ms, entry.flags, bytes(entry.payload)) == (
        parts["load_ms"],
        parts["flags"],
        parts["payload"],
    )
    assert entry.negative == bool(parts["flags"] & NEGATIVE)
    assert entry.compressed == bool(parts["flags"] & COMPRESSED)


@given(_entries, st.data())
def test_cut_and_lengthened_entries_are_misses(parts: dict, data: st.DataObject) -> None:  # type: ignore[type-arg]
    """Whatever is missing at the end, or too much, the entry is a miss."""
    packed = pack(**parts)
    assert unpack(packed[: data.draw(st.integers(0, len(packed) - 1))]) is None
    assert unpack(packed + data.draw(st.binary(min_size=1, max_size=9))) is None


@given(st.binary(max_size=120))
def test_random_bytes_never_raise(data: bytes) -> None:
    """Bytes of any origin give an entry or a miss."""
    for candidate in (data, b"\x01" + data):
        assert isinstance(unpack(candidate), Entry | None)


@given(_entries, st.data())
def test_changed_bytes_never_raise(parts: dict, data: st.DataObject) -> None:  # type: ignore[type-arg]
    """One changed byte anywhere gives an entry or a miss."""
    packed = bytearray(pack(**parts))
    packed[data.draw(st.integers(0, len(packed) - 1))] ^= data.draw(st.integers(1, 255))
    assert isinstance(unpack(bytes(packed)), Entry | None)


def test_another_version_is_a_miss() -> None:
    """Entries and flags of a version to come are misses."""
    packed = pack(b"x", tokens=[], fresh_until=1.0, stale_until=1.0)
    assert unpack(b"\x02" + packed[1:]) is None
    assert unpack(packed[:1] + b"\x04" + packed[2:]) is None


def test_an_entry_cannot_be_changed() -> None:
    """Entries are shared, so nobody may change one."""
    entry = unpack(pack(b"x", tokens=[], fresh_until=1.0, stale_until=1.0))
    with pytest.raises(AttributeError):
        entry.flags = 1  # type: ignore[misc,union-attr]


def test_what_does_not_fit_is_refused_when_packed() -> None:
    """Tokens of another length and tags without end are errors of the writer."""
    with pytest.raises(ValueError, match="tokens"):
        pack(b"", tokens=[b"short"], fresh_until=1.0, stale_until=1.0)
    with pytest.raises(ValueError, match="tags"):
        pack(b"", tokens=[], tags=["x" * 70_000], fresh_until=1.0, stale_until=1.0)


@given(_entries, st.data())
def test_the_short_way_gives_the_same(parts: dict, data: st.DataObject) -> None:  # type: ignore[type-arg]
    """With its own tokens an entry without tags is read as the long way reads it; else it is none."""
    packed, tokens = pack(**parts), b"".join(parts["tokens"])
    expected = parts["fresh_until"], parts["load_ms"], parts["flags"], parts["payload"]
    assert unpack_held(packed, tokens) == (expected if parts["tags"] is None else None)
    other = data.draw(st.binary(min_size=8, max_size=8).filter(lambda each: each != tokens[-8:]))
    assert unpack_held(packed, tokens[:-8] + other) is None


@given(_entries, st.data())
def test_changed_bytes_never_raise_the_short_way(parts: dict, data: st.DataObject) -> None:  # type: ignore[type-arg]
    """What is no entry the long way is none the short way, and nothing is raised."""
    packed, tokens = bytearray(pack(**parts)), b"".join(parts["tokens"])
    packed[data.draw(st.integers(0, len(packed) - 1))] ^= data.draw(st.integers(1, 255))
    changed = bytes(packed)[: data.draw(st.integers(0, len(packed)))]
    assert unpack(changed) is not None or unpack_held(changed, tokens) is None
