"""Compression of a response while it is streamed: of what is not kept."""

import asyncio
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

import zstandard

from pitstop.cache.page import SMALLEST, is_compressible

__all__ = ["Squeeze"]

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]

_APART = 65_536  # bytes of a piece from which it is left to a thread


class _Compressor(Protocol):
    def piece(self, data: bytes, *, last: bool) -> bytes: ...


class _Gzip:
    def __init__(self) -> None:
        self._state = zlib.compressobj(5, zlib.DEFLATED, 31)

    def piece(self, data: bytes, *, last: bool) -> bytes:
        return self._state.compress(data) + self._state.flush(zlib.Z_FINISH if last else zlib.Z_SYNC_FLUSH)


class _Zstd:
    def __init__(self) -> None:
        self._state = zstandard.ZstdCompressor(level=3).compressobj()

    def piece(self, data: bytes, *, last: bool) -> bytes:
        how = zstandard.COMPRESSOBJ_FLUSH_FINISH if last else zstandard.COMPRESSOBJ_FLUSH_BLOCK
        return self._state.compress(data) + self._state.flush(how)


_COMPRESSORS: dict[str, Callable[[], _Compressor]] = {"gzip": _Gzip, "zstd": _Zstd}


class Squeeze:
    """A ``send`` that compresses on the way, piece by piece, where the response is worth it.

    Args:
        send: of the server.
        encoding: that the client accepts.
    """

    def __init__(self, send: Send, encoding: str) -> None:
        self._send = send
        self._encoding = encoding
        self._start: Message | None = None
        self._compressor: _Compressor | None = None

    async def __call__(self, message: Message) -> None:
        """Pass a message on."""
        if message["type"] == "http.response.start" and _may_compress(message):
            self._start = message  # until the first piece tells whether there is something to compress
            return
        if self._start is not None:
            start, self._start = self._start, None
            if _is_worth(message):
                self._compressor = _COMPRESSORS[self._encoding]()
                start = {**start, "headers": self._headers(start)}
            await self._send(start)
        if self._compressor is not None and message["type"] == "http.response.body":
            message = {**message, "body": await self._squeezed(message)}
        await self._send(message)

    def _headers(self, start: Message) -> list[tuple[bytes, bytes]]:
        kept = []
        for name, value in start.get("headers", ()):
            key = name.lower()
            if key == b"etag" and not value.startswith(b"W/"):
                kept.append((name, b"W/" + value))  # these are not the bytes that it is the tag of
            elif key != b"content-length":
                kept.append((name, value))
        return [*kept, (b"content-encoding", self._encoding.encode()), (b"vary", b"accept-encoding")]

    async def _squeezed(self, message: Message) -> bytes:
        assert self._compressor is not None, "asked only with one"
        data, last = message.get("body", b""), not message.get("more_body")
        if len(data) < _APART:
            return self._compressor.piece(data, last=last)
        return await asyncio.to_thread(self._compressor.piece, data, last=last)


def _may_compress(start: Message) -> bool:
    if start["status"] in (204, 206, 304):
        return False
    return is_compressible({name.lower(): value for name, value in start.get("headers", ())})


def _is_worth(first: Message) -> bool:
    if first["type"] != "http.response.body":
        return False
    return bool(first.get("more_body")) or len(first.get("body", b"")) >= SMALLEST
