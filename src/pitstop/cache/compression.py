"""Compression of stored values, with a bound on what they may grow to again."""

import struct
import threading

import zstandard

from pitstop.errors import CacheError

__all__ = ["MAX_BYTES", "compress", "decompress"]

MAX_BYTES = 64 * 1024 * 1024

_SIZE = struct.Struct(">I")
_WORTH = 0.9  # what is left must be less than this share

_of_thread = threading.local()  # zstandard's contexts are not for several threads at once


def _compressor(level: int) -> zstandard.ZstdCompressor:
    made: dict[int, zstandard.ZstdCompressor] = _of_thread.__dict__.setdefault("compressors", {})
    if level not in made:
        made[level] = zstandard.ZstdCompressor(level=level, write_content_size=True)
    return made[level]


def compress(payload: bytes, *, level: int = 1, at_least: int = 1024) -> tuple[bool, bytes]:
    """Compress a payload where that saves at least a tenth.

    Args:
        payload: encoded value.
        level: of zstandard; 1 is the fastest usual one.
        at_least: bytes below which nothing is tried.

    Returns:
        whether it is compressed, and the bytes to store.
    """
    if not at_least <= len(payload) <= MAX_BYTES:
        return False, payload
    packed = _SIZE.pack(len(payload)) + _compressor(level).compress(payload)
    return (True, packed) if len(packed) < len(payload) * _WORTH else (False, payload)


def decompress(packed: bytes | memoryview, *, at_most: int = MAX_BYTES) -> bytes:
    """The payload that ``compress`` was given.

    Args:
        packed: bytes that ``compress`` marked as compressed.
        at_most: bytes that it may become; a corrupt or hostile entry is refused before any are reserved.

    Raises:
        CacheError: not what ``compress`` made, or larger than ``at_most``.
    """
    try:
        (size,) = _SIZE.unpack_from(packed)
        frame = packed[_SIZE.size :]
        if size > at_most or zstandard.frame_content_size(frame) != size:
            raise CacheError(f"stored value says it is {size} bytes long; at most {at_most} can be right")
        try:
            decompressor = _of_thread.decompressor
        except AttributeError:
            decompressor = _of_thread.decompressor = zstandard.ZstdDecompressor()
        payload: bytes = decompressor.decompress(frame)  # reserves what the frame says: it was looked at
    except (struct.error, zstandard.ZstdError) as error:
        raise CacheError(f"stored value cannot be decompressed: {error}") from error
    return payload
