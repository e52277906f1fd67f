"""The commands of one call on their way: to whom each goes, and what its reply means for the next round."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from hiredis import ReplyError

from pitstop.cache.redis.address import Address
from pitstop.cache.redis.discovery import Topology, slot
from pitstop.cache.redis.handshake import Command
from pitstop.cache.redis.script import in_full

__all__ = ["Errand", "Piece"]

ATTEMPTS = 8
PAUSE_SECONDS = 0.01

_KEYLESS = frozenset(
    b"ACL CLIENT CLUSTER COMMAND CONFIG DBSIZE DISCARD ECHO EXEC FLUSHALL FLUSHDB FUNCTION HELLO INFO"
    b" KEYS LATENCY MULTI PING PUBLISH RANDOMKEY SCAN SCRIPT SLOWLOG TIME UNWATCH WAIT".split()
)
_ASKING: Command = (b"ASKING",)


@dataclass(slots=True)
class Piece:
    """A command, or the part of an MGET whose keys share a slot.

    Attributes:
        command: what to send.
        place: of its reply among those of the call.
        positions: of its values in the reply of the whole MGET.
        target: a server that it must go to.
        asking: whether that server has only begun to take over the key.
        attempts: how often it was sent in vain.
    """

    command: Command
    place: int
    positions: Sequence[int] | None = None
    target: Address | None = None
    asking: bool = False
    attempts: int = 0


class Errand:
    """One call: hand out batches, take their replies, until nothing is left.

    Args:
        commands: of the call.
        key: decides where commands without a key go.
        address: where all of them go, whatever their keys.
        split: whether an MGET may have to be split.

    Attributes:
        replies: of the call, in order, complete when ``pieces`` is empty.
        pieces: what has to be sent in the next round.
        stale: whether a reply told that the topology has changed.
        demoted: servers that take no writes any more.
        pause: seconds to wait before the next round.
    """

    def __init__(
        self, commands: Sequence[Command], *, key: bytes | None, address: Address | None, split: bool
    ) -> None:
        self._key = key
        self.replies: list[Any] = [None] * len(commands)
        self.pieces: list[Piece] = []
        self.stale = False
        self.demoted: set[Address] = set()
        self.pause = 0.0
        for place, command in enumerate(commands):
            if split and command[0] == b"MGET" and address is None:
                self._split(command, place)
            else:
                self.pieces.append(Piece(command, place, target=address))

    def batches(self, topology: Topology) -> list[tuple[Address, list[Piece]]]:
        """What goes where in this round."""
        batches: dict[Address, list[Piece]] = {}
        for piece in self.pieces:
            address = piece.target or topology.owner(self._key_of(piece.command))
            batches.setdefault(address, []).append(piece)
        self.pieces, self.stale, self.pause = [], False, 0.0
        self.demoted.clear()
        return list(batches.items())

    def take(self, address: Address, pieces: Sequence[Piece], replies: Sequence[Any]) -> None:
        """Sort the replies of a server: those that are final, and those that need another round."""
        following = iter(replies)
        for piece in pieces:
            reply = next(following)
            if piece.asking:
                reply = next(following)
            if (
                isinstance(reply, ReplyError)
                and piece.attempts < ATTEMPTS
                and self._again(piece, reply, address)
            ):
                piece.attempts += 1
                self.pieces.append(piece)
            else:
                self._settle(piece, reply)

    def _again(self, piece: Piece, error: ReplyError, address: Address) -> bool:
        """Whether an error is cured by sending the command once more, and how."""
        code, *words = str(error).split(" ")
        piece.asking = code == "ASK"
        match code:
            case "NOSCRIPT":
                full = in_full(piece.command)
                piece.command = full or piece.command
                return full is not None
            case "MOVED" | "ASK":
                self.stale = self.stale or code == "MOVED"
                host, _, port = words[1].rpartition(":")
                piece.target = replace(address, host=host or address.host, port=int(port), path=None)
                return True
            case "CLUSTERDOWN" | "TRYAGAIN" | "READONLY":
                self.stale = self.stale or code != "TRYAGAIN"
                self.pause = max(self.pause, PAUSE_SECONDS * (piece.attempts + 1))
                piece.target = None
                if code == "READONLY":
                    self.demoted.add(address)
                return True
        return False

    def _settle(self, piece: Piece, reply: Any) -> None:
        if piece.positions is None or isinstance(reply, ReplyError):
            self.replies[piece.place] = reply
            return
        values = self.replies[piece.place]
        if not isinstance(values, ReplyError):
            for position, value in zip(piece.positions, reply, strict=True):
                values[position] = value

    def _split(self, command: Command, place: int) -> None:
        """One MGET for each slot: servers refuse keys of several, also where they own them all."""
        self.replies[place] = [None] * (len(command) - 1)
        parts: dict[int, list[int]] = {}
        for position, key in enumerate(command[1:]):
            parts.setdefault(slot(key), []).append(position)
        for positions in parts.values():
            keys = [command[1 + position] for position in positions]
            self.pieces.append(Piece((b"MGET", *keys), place, positions))

    def _key_of(self, command: Command) -> bytes | None:
        name = command[0]
        if name in (b"EVALSHA", b"EVAL"):
            return command[3] if int(command[2]) > 0 else self._key
        return self._key if name in _KEYLESS or len(command) < 2 else command[1]


def wire_form(pieces: Sequence[Piece]) -> list[Command]:
    """What is sent for some pieces."""
    return [
        each for piece in pieces for each in ((_ASKING, piece.command) if piece.asking else (piece.command,))
    ]
