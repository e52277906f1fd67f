"""A whole response as it is kept: its headers, its body in each encoding, ready to be sent."""

import asyncio
import gzip
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import msgspec
import zstandard

from pitstop.cache.codec import Codec
from pitstop.errors import SettingsError

__all__ = [
    "ENCODINGS",
    "SMALLEST",
    "Headers",
    "Negotiation",
    "Page",
    "PageCodec",
    "is_compressible",
    "is_unchanged",
    "make_page",
]

Headers = list[tuple[bytes, bytes]]

ENCODINGS = ("zstd", "gzip")
PLAIN = ""
SMALLEST = 500  # bytes; below that the headers weigh more than what is saved
_WORTH = 0.9  # what is left must be less than this share
_APART = 65_536  # bytes from which compression is left to a thread
_MOST_KNOWN = 256
_TEXT = re.compile(
    rb"text/(?!event-stream)|application/(?:.*[+/])?(?:json|xml|javascript|manifest|wasm)|image/(?:svg|bmp)"
)
# these belong to one connection or one moment, or are made anew for each encoding
_DROPPED = frozenset(
    {b"content-length", b"connection", b"date", b"server", b"transfer-encoding", b"keep-alive", b"age"}
)
_UNCHANGED = frozenset({b"cache-control", b"content-location", b"etag", b"expires", b"vary"})


class _Stored(msgspec.Struct, array_like=True):
    """What lies in Redis."""

    headers: list[tuple[bytes, bytes]]
    bodies: dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Variant:
    """A page in one encoding.

    Attributes:
        headers: of the whole response.
        unchanged: of a 304 instead.
        body: its bytes.
        etag: as it stands in the headers, without ``W/``.
    """

    headers: Headers
    unchanged: Headers
    body: bytes
    etag: bytes


class Page:
    """A response in all its encodings.

    Attributes:
        stored: what goes to Redis.
        variants: by encoding; those it is not kept in are the plain one.
    """

    __slots__ = ("stored", "variants")

    def __init__(self, stored: _Stored) -> None:
        self.stored = stored
        plain = _variant(stored.headers, PLAIN, stored.bodies[PLAIN])
        self.variants = {PLAIN: plain, **dict.fromkeys(ENCODINGS, plain)}
        for encoding, body in stored.bodies.items():
            self.variants[encoding] = _variant(stored.headers, encoding, body)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Page) and self.stored == other.stored

    __hash__ = None  # type: ignore[assignment]


def _variant(headers: Headers, encoding: str, body: bytes) -> Variant:
    tag = dict(headers)[b"etag"]
    if encoding:
        # another representation has another strong tag; the application's own is weakened as proxies do
        tag = tag[:-1] + b"-" + encoding.encode() + b'"' if tag.startswith(b'"~') else _weak(tag)
    mine = [(name, tag if name == b"etag" else value) for name, value in headers]
    if encoding:
        mine.append((b"content-encoding", encoding.encode()))
    unchanged = [each for each in mine if each[0] in _UNCHANGED]
    mine.append((b"content-length", b"%d" % len(body)))
    return Variant(mine, unchanged, body, tag.removeprefix(b"W/"))


def _weak(tag: bytes) -> bytes:
    return tag if tag.startswith(b"W/") else b"W/" + tag


def is_unchanged(variant: Variant, asked: bytes) -> bool:
    """Whether an ``If-None-Match`` names this very representation, or any (RFC 9110, 13.1.2)."""
    etag = variant.etag
    if asked == etag:
        return True
    return any(each.strip().removeprefix(b"W/") in (etag, b"*") for each in asked.split(b","))


def is_compressible(headers: dict[bytes, bytes]) -> bool:
    """Whether a body with these headers is worth compressing, and may be."""
    if b"content-encoding" in headers or b"no-transform" in headers.get(b"cache-control", b""):
        return False
    return _TEXT.match(headers.get(b"content-type", b"").lower()) is not None


async def make_page(
    headers: Sequence[tuple[bytes, bytes]],
    body: bytes,
    *,
    encodings: Iterable[str],
    vary: bytes,
    cache_control: bytes,
) -> Page:
    """The page of a response.

    Args:
        headers: names in lower case.
        body: as the application sent it.
        encodings: to be kept beside it, where they save something.
        vary: names of headers in the key.
        cache_control: where the response says nothing itself.
    """
    given = dict(headers)
    bodies = {PLAIN: body}
    compressible = is_compressible(given)
    if compressible and len(body) >= SMALLEST:
        wanted = tuple(encodings)
        if len(body) >= _APART:
            bodies |= await asyncio.to_thread(_compressed, body, wanted)
        else:
            bodies |= _compressed(body, wanted)
    kept = [each for each in headers if each[0] not in _DROPPED and each[0] != b"vary"]
    if b"etag" not in given:
        kept.append((b"etag", _etag(given, body)))
    if b"cache-control" not in given:
        kept.append((b"cache-control", cache_control))
    said = [*(value for name, value in headers if name == b"vary"), vary, b"accept-encoding" * compressible]
    names = dict.fromkeys(name.strip().lower() for each in said for name in each.split(b",") if name.strip())
    if names:
        kept.append((b"vary", b", ".join(names)))
    return Page(_Stored(kept, bodies))


def _etag(headers: dict[bytes, bytes], body: bytes) -> bytes:
    """A strong tag of the bytes and of what says how to read them: the same in every process."""
    digest = blake2b(digest_size=15)
    for name in (b"content-type", b"content-encoding", b"content-language"):
        value = headers.get(name, b"")
        digest.update(b"%d:%b" % (len(value), value))
    digest.update(body)
    return b'"~' + digest.hexdigest().encode() + b'"'


def _compressed(body: bytes, encodings: Iterable[str]) -> dict[str, bytes]:
    made = {}
    for encoding in encodings:
        packed = _COMPRESS[encoding](body)
        if len(packed) < len(body) * _WORTH:
            made[encoding] = packed
    return made


def _zstd(body: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=6).compress(body)


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, 6, mtime=0)  # without the time: the bytes are the same in every process


_COMPRESS = {"zstd": _zstd, "gzip": _gzip}


class PageCodec(Codec):
    """Pages as msgpack."""

    name = "page"

    def _encoded(self, value: Any) -> bytes:
        return msgspec.msgpack.encode(value.stored)

    def _decoded(self, payload: bytes | memoryview) -> Page:
        return Page(msgspec.msgpack.decode(payload, type=_Stored))

    def checked_encode(self, value: Any) -> bytes:
        """Bytes come back as bytes: there is nothing to check."""
        return self._encoded(value)


class Negotiation:
    """Which encoding a request gets, by its ``Accept-Encoding``; the answers are remembered.

    Args:
        encodings: that we make, the best first.

    Raises:
        SettingsError: one of them is unknown.
    """

    def __init__(self, encodings: Iterable[str]) -> None:
        self.encodings = tuple(encodings)
        for each in self.encodings:
            if each not in ENCODINGS:
                raise SettingsError(f"encoding {each!r} is none of {', '.join(ENCODINGS)}")
        self._known: dict[bytes | None, str] = {None: PLAIN}

    def choose(self, accepted: bytes | None) -> str:
        """The encoding for a header's value; empty for none."""
        found = self._known.get(accepted)
        if found is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known = {None: PLAIN}
            found = self._known[accepted] = self._chosen(accepted or b"")
        return found

    def _chosen(self, accepted: bytes) -> str:
        weights = dict(map(_weighed, accepted.decode("latin-1").lower().split(",")))
        others = weights.get("*", 0.0)
        plain = weights.get("identity", 0.0)
        best, most = PLAIN, plain
        for each in self.encodings:
            weight = weights.get(each, others)
            if weight > most or (weight == most > 0 and best == PLAIN):
                best, most = each, weight
        return best


def _weighed(part: str) -> tuple[str, float]:
    name, *parameters = (each.strip() for each in part.split(";"))
    for each in parameters:
        if each.startswith("q="):
            try:
                return name, float(each[2:])
            except ValueError:
                return name, 0.0
    return name, 1.0
