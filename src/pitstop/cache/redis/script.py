"""Lua scripts: sent by their hash, and in full to a server that does not know them yet."""

import hashlib
from collections.abc import Sequence

from pitstop.cache.redis.handshake import Command

__all__ = ["Script", "in_full"]

_SOURCES: dict[bytes, bytes] = {}


class Script:
    """A script that :class:`~pitstop.cache.redis.topology.Client` runs; the same source gives the same hash.

    Args:
        source: Lua; its keys must be given as ``KEYS``, and in a Cluster be of one slot.

    Attributes:
        sha: the hash that servers know it by.
    """

    def __init__(self, source: str) -> None:
        encoded = source.encode()
        self.sha = hashlib.sha1(encoded, usedforsecurity=False).hexdigest().encode()
        _SOURCES[self.sha] = encoded

    def call(self, keys: Sequence[bytes], args: Sequence[bytes] = ()) -> Command:
        """The command that runs it."""
        return (b"EVALSHA", self.sha, b"%d" % len(keys), *keys, *args)


def in_full(command: Command) -> Command | None:
    """The same call with the source of its script; None if it calls none of ours."""
    source = _SOURCES.get(command[1]) if command[0] == b"EVALSHA" else None
    return None if source is None else (b"EVAL", source, *command[2:])
