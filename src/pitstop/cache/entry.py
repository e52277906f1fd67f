"""The stored form of a cached value in Redis.

One version byte, then (little endian): flags, number of tokens, number of tags (255: none given), bytes of
the tags, bytes of the payload, fresh until, stale until (wall clock, seconds), load time (ms); the tokens, 8
bytes each; the tags, each after its length in 2 bytes; the payload.
"""

import struct
from collections.abc import Sequence

import msgspec

__all__ = ["COMPRESSED", "HEAD_BYTES", "NEGATIVE", "TOKEN_BYTES", "Entry", "pack", "unpack", "unpack_held"]

NEGATIVE = 1
COMPRESSED = 2
_KNOWN = NEGATIVE | COMPRESSED
TOKEN_BYTES = 8

_VERSION = 1
_NO_TAGS = 255
_MOST = 254
_HEAD = struct.Struct("<BBBBIIddd")
HEAD_BYTES = _HEAD.size  # no two fills have the same
_BRIEF = struct.Struct("<BBxB4xId8xd")  # the same without what follows from the rest
_LENGTH = struct.Struct("<H")
_TOKENS = [struct.Struct(f"{TOKEN_BYTES}s" * count) for count in range(256)]


class Entry(msgspec.Struct, frozen=True):  # a frozen dataclass takes five times as long to make
    """One stored value, as read.

    Attributes:
        tokens: of its tags, as they were before its load.
        tags: names that its load found, or None where they follow from the arguments.
        fresh_until: wall clock, seconds.
        stale_until: until then it may be served while it is refreshed; wall clock, seconds.
        load_ms: how long its load took.
        flags: NEGATIVE and COMPRESSED, added.
        payload: what the codec made, perhaps compressed.
    """

    tokens: tuple[bytes, ...]
    tags: tuple[str, ...] | None
    fresh_until: float
    stale_until: float
    load_ms: float
    flags: int
    payload: bytes | memoryview

    @property
    def negative(self) -> bool:
        """The load found nothing, and that is what is remembered."""
        return self.flags & NEGATIVE != 0

    @property
    def compressed(self) -> bool:
        """The payload has to be decompressed first."""
        return self.flags & COMPRESSED != 0


def pack(
    payload: bytes,
    *,
    tokens: Sequence[bytes],
    tags: Sequence[str] | None = None,
    fresh_until: float,
    stale_until: float,
    load_ms: float = 0.0,
    flags: int = 0,
) -> bytes:
    """The bytes to store; arguments are the attributes of ``Entry``.

    Raises:
        ValueError: more than 254 tokens or tags, a token that is not 8 bytes long, a tag longer than 65,535
            bytes.
    """
    if len(tokens) > _MOST or any(len(token) != TOKEN_BYTES for token in tokens):
        raise ValueError(f"tokens are {TOKEN_BYTES} bytes each and at most {_MOST}")
    named = b"" if tags is None else _packed_tags(tags)
    count = _NO_TAGS if tags is None else len(tags)
    head = _HEAD.pack(
        _VERSION, flags, len(tokens), count, len(named), len(payload), fresh_until, stale_until, load_ms
    )
    return b"".join((head, *tokens, named, payload))


def _packed_tags(tags: Sequence[str]) -> bytes:
    encoded = [tag.encode() for tag in tags]
    if len(encoded) > _MOST or any(len(tag) > 0xFFFF for tag in encoded):
        raise ValueError(f"tags are at most {_MOST}, of 65,535 bytes each")
    return b"".join(_LENGTH.pack(len(tag)) + tag for tag in encoded)


def unpack(data: bytes | memoryview) -> Entry | None:
    """The entry in some bytes, or None (a miss) where they are cut, corrupt or of another version."""
    if len(data) < _HEAD.size:
        return None
    version, flags, count, tag_count, tag_bytes, size, fresh, stale, load_ms = _HEAD.unpack_from(data)
    tags_at = _HEAD.size + count * TOKEN_BYTES
    payload_at = tags_at + tag_bytes
    if version != _VERSION or flags > _KNOWN or len(data) != payload_at + size:
        return None
    tags: tuple[str, ...] | None = None
    if tag_count != _NO_TAGS:
        tags = _unpacked_tags(bytes(data[tags_at:payload_at]), tag_count)
        if tags is None:
            return None
    tokens = _TOKENS[count].unpack_from(data, _HEAD.size)
    return Entry(tokens, tags, fresh, stale, load_ms, flags, data[payload_at:])


def unpack_held(data: bytes, tokens: bytes) -> tuple[float, float, int, bytes] | None:
    """Fresh until, load time, flags and payload of an entry with these tokens that names no tags itself.

    The shortest way for the hot path: None as well where ``unpack`` gives None.
    """
    if not data.startswith(tokens, HEAD_BYTES):
        return None
    version, flags, tag_count, size, fresh, load_ms = _BRIEF.unpack_from(data)
    payload_at = HEAD_BYTES + len(tokens)
    # with the size the number of tokens is right as well
    if tag_count != _NO_TAGS or version != _VERSION or flags > _KNOWN or len(data) != payload_at + size:
        return None
    return fresh, load_ms, flags, data[payload_at:]


def _unpacked_tags(packed: bytes, count: int) -> tuple[str, ...] | None:
    tags = []
    at = 0
    try:
        for _ in range(count):
            (length,) = _LENGTH.unpack_from(packed, at)
            start, at = at + 2, at + 2 + length
            tags.append(packed[start:at].decode())
    except (struct.error, UnicodeDecodeError):
        return None
    return tuple(tags) if at == len(packed) else None
