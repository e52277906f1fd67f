"""Searching Redis for the keys that match a pattern."""

import re
from collections.abc import AsyncIterator

from pitstop.cache.commands import Commands
from pitstop.cache.effects import checked
from pitstop.cache.redis.topology import Client

__all__ = ["key_pattern", "stored_keys"]

_AT_ONCE = 500
_SECONDS = 2.0
_GLOB = re.compile(rb"(\*+)|(\?)|\[(\^?)((?:\\.|[^\]\\])*)\]?|\\?(.)", re.DOTALL)
_CLASS = re.compile(rb"(?:\\)?(.)(?:-(.))?", re.DOTALL)


def key_pattern(pattern: str) -> "re.Pattern[bytes]":
    """What keys in memory are held against: a pattern as Redis reads it, byte by byte."""
    return re.compile(b"".join(map(_expression, _GLOB.finditer(pattern.encode()))), re.DOTALL)


def _expression(part: "re.Match[bytes]") -> bytes:
    many, one, negated, members, literal = part.groups()
    if many or one:
        return b".*" if many else b"."
    if literal is not None:
        return re.escape(literal)
    if not members:
        return b"." if negated else b"(?!)"
    return b"[%b%b]" % (negated, b"".join(map(_range, _CLASS.finditer(members))))


def _range(part: "re.Match[bytes]") -> bytes:
    first, last = part[1], part[2] or part[1]
    return b"%b-%b" % (re.escape(min(first, last)), re.escape(max(first, last)))


async def stored_keys(client: Client, commands: Commands, pattern: str) -> AsyncIterator[list[str]]:
    """Keys of stored values that match, a few hundred at a time, by SCAN on every master.

    Args:
        client: the Redis.
        commands: the cache's names.
        pattern: as of Redis' ``MATCH``.
    """
    start = commands.value("")[:-1]
    match = _escaped(start) + pattern.encode() + b"}"
    for address in await client.masters(seconds=_SECONDS):
        cursor = b"0"
        while True:
            scan = (b"SCAN", cursor, b"MATCH", match, b"COUNT", b"%d" % _AT_ONCE)
            (reply,) = checked(await client.run([scan], seconds=_SECONDS, address=address))
            cursor, found = reply
            if found:
                yield [each[len(start) : -1].decode() for each in found]
            if cursor == b"0":
                break


def _escaped(prefix: bytes) -> bytes:
    return b"".join(
        b"\\" + each if each in b"*?[]\\^" else each
        for each in (prefix[i : i + 1] for i in range(len(prefix)))
    )
