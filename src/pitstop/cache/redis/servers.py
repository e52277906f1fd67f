"""Which servers are trusted: those whose lives the cache's epoch was begun with.

A node of a Cluster that fails over may lose what was written last, and bring old tokens back; so may the
server that a name, a proxy or a Sentinel leads to from now on, while the lease goes on at the one before. It
has another run id; whoever connects to it finds that out before it sends a command.
"""

from typing import Any

from hiredis import ReplyError

from pitstop.cache.redis.address import Address
from pitstop.cache.redis.handshake import Command, lost

__all__ = ["QUESTION", "Servers", "run_id_in"]

QUESTION: Command = (b"INFO", b"server")


class Servers:
    """What the connections of one client know of the servers. For any thread.

    Attributes:
        strange: whether one of them was met that is not trusted.
    """

    def __init__(self) -> None:
        self._trusted: frozenset[bytes] | None = None
        self.strange = False

    def trust(self, run_ids: frozenset[bytes]) -> bool:
        """Trust these from now on, and no others; True if these are others than before."""
        others = self._trusted is not None and self._trusted != run_ids
        self._trusted = run_ids
        self.strange = False
        return others

    @property
    def questions(self) -> list[Command]:
        """What to ask on a new connection, after the greeting."""
        return [] if self._trusted is None else [QUESTION]

    def admit(self, address: Address, replies: list[Any]) -> None:
        """Look at the answers to these questions.

        Raises:
            RedisUnavailable: it is a server that is not trusted.
        """
        trusted = self._trusted
        if replies and trusted is not None and run_id_in(address, replies[0]) not in trusted:
            self.strange = True
            raise lost(address, "it has taken the place of another server, and may have lost what that knew")


def run_id_in(address: Address, info: Any) -> bytes:
    """What a server calls the time since its start, by its ``INFO server``.

    Raises:
        RedisUnavailable: it does not tell.
    """
    for line in bytes(info).split(b"\r\n") if not isinstance(info, ReplyError) else ():
        name, _, value = line.partition(b":")
        if name == b"run_id":
            return value
    raise lost(address, f"it does not tell its run id: {info!r:.80}")
