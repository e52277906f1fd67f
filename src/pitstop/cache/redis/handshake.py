"""How a connection to Redis begins: RESP3, credentials, logical database."""

import os
from collections.abc import Callable
from typing import Any, cast

from hiredis import ReplyError, pack_command

from pitstop.cache.redis.address import Address
from pitstop.errors import RedisUnavailable

__all__ = ["Command", "greeting", "lost", "pack", "welcome"]

Command = tuple[bytes, ...]

pack = cast("Callable[[Command], bytes]", pack_command)  # its own annotation says a tuple of one

# invalidations come as pushes beside replies, in their order: RESP2 has none
_RESP3 = "it does not speak RESP3 (HELLO 3): use redis 6.2 or later, and no proxy that knows RESP2 alone"


def greeting(address: Address) -> list[Command]:
    """What to send first."""
    hello: list[bytes] = [b"HELLO", b"3"]
    if address.password is not None:
        hello += [b"AUTH", (address.username or "default").encode(), address.password.encode()]
    commands: list[Command] = [tuple(hello)]
    if address.db:
        commands.append((b"SELECT", b"%d" % address.db))
    return commands


def welcome(address: Address, replies: list[Any]) -> dict[str, Any]:
    """What the server says of itself (mode, role, version), from its replies to :func:`greeting`.

    Raises:
        RedisUnavailable: it does not let us in, or it (or a proxy before it) does not speak RESP3.
    """
    for reply in replies:
        if isinstance(reply, ReplyError):
            raise RedisUnavailable(f"redis at {address} refuses us: {_cure(str(reply))}")
    hello = replies[0]
    if not isinstance(hello, dict):  # asked for RESP3, and answered in RESP2 all the same
        raise RedisUnavailable(f"redis at {address} refuses us: {_RESP3}")
    return {
        key.decode(): value.decode() if isinstance(value, bytes) else value for key, value in hello.items()
    }


def _cure(reason: str) -> str:
    if reason.lower().startswith("err unknown command") or reason.startswith("NOPROTO"):
        return _RESP3
    if reason.startswith("NOAUTH"):
        return "it wants a password: write redis://:password@host:port/0"
    if reason.startswith("WRONGPASS"):
        return "user or password is wrong: correct the url"
    return f"{reason}: correct the url or the server"


def lost(address: Address, reason: object) -> RedisUnavailable:
    """The error for a server that is not there, does not answer, or went away."""
    text = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    if isinstance(reason, ConnectionError) and reason.errno:  # asyncio says "connect call failed" instead
        text = os.strerror(reason.errno)
    return RedisUnavailable(f"redis at {address} is unavailable: {text[:1].lower()}{text[1:]}")
