"""Searching Redis for the keys that match a pattern."""

from collections.abc import AsyncIterator

from pitstop.cache.commands import Commands
from pitstop.cache.effects import checked
from pitstop.cache.redis.topology import Client

__all__ = ["stored_keys"]

_AT_ONCE = 500
_SECONDS = 2.0


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
