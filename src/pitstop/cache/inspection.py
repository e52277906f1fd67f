"""Inspection of a cache's Redis from outside, changing nothing: what it holds, who uses it, what is slow."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from hiredis import ReplyError

from pitstop.cache.commands import Command, Commands
from pitstop.cache.redis.address import Address
from pitstop.cache.redis.topology import Client
from pitstop.errors import RedisUnavailable

__all__ = ["RedisReport", "Server", "SlowCommand", "inspect_redis"]

_SECONDS = 5.0
_SCAN = 1000
_INFO = {
    "version": "redis_version",
    "used_bytes": "used_memory",
    "max_bytes": "maxmemory",
    "policy": "maxmemory_policy",
    "evicted_keys": "evicted_keys",
    "keyspace_hits": "keyspace_hits",
    "keyspace_misses": "keyspace_misses",
}


@dataclass(frozen=True, slots=True)
class SlowCommand:
    """A command of the server's slow log; its arguments, which may be anybody's data, are left out."""

    command: str
    ms: float
    at: int


@dataclass(frozen=True, slots=True)
class Server:
    """One server that takes writes.

    Attributes:
        address: without user and password.
        max_bytes: 0 for no limit.
        keyspace_hits, keyspace_misses: of everybody's reads since it started, tokens of tags included.
        slow: the longest of its slow log.
    """

    address: str
    version: str
    used_bytes: int
    max_bytes: int
    policy: str
    evicted_keys: int
    keyspace_hits: int
    keyspace_misses: int
    slow: tuple[SlowCommand, ...]


@dataclass(frozen=True, slots=True)
class RedisReport:
    """What a cache has in Redis.

    Attributes:
        namespace: of the cache.
        servers: that hold it.
        keys: how many of each kind: ``value``, ``tag``, ``namespace``, ``lock``, ``coordination``.
        scanned: keys that were looked at, of all that is in the servers.
        is_complete: whether these were all.
        holders: processes that hold a lease.
        epoch_seconds: since everything stored was void; None where no process has joined.
    """

    namespace: str
    servers: tuple[Server, ...]
    keys: Mapping[str, int]
    scanned: int
    is_complete: bool
    holders: int
    epoch_seconds: float | None

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def inspect_redis(url: str, *, namespace: str = "pitstop", most_keys: int = 100_000) -> RedisReport:
    """Look at a cache.

    Args:
        url: as of :class:`pitstop.cache.Cache`.
        namespace: of the cache.
        most_keys: to look at, of all that the servers hold.

    Raises:
        RedisUnavailable: a server does not answer, or refuses.
    """
    client, commands = Client(url), Commands(namespace)
    try:
        masters = client.masters_blocking()
        keys: Counter[str] = Counter()
        scanned, complete = 0, True
        for address in masters:
            seen, whole = _scan(client, address, commands, keys, most=most_keys // len(masters))
            scanned, complete = scanned + seen, complete and whole
        holders, epoch_seconds = _coordination(client, commands)
        servers = tuple(_server(client, each) for each in masters)
        return RedisReport(namespace, servers, dict(keys), scanned, complete, holders, epoch_seconds)
    finally:
        client.close_blocking()


def _ask(client: Client, *commands: Command, address: Address | None = None) -> list[Any]:
    replies = client.run_blocking(commands, seconds=_SECONDS, address=address)
    for reply in replies:
        if isinstance(reply, ReplyError):
            raise RedisUnavailable(f"redis refuses to be inspected: {reply}")
    return replies


def _scan(
    client: Client, address: Address, commands: Commands, keys: "Counter[str]", *, most: int
) -> tuple[int, bool]:
    """Count the kinds of keys of one server; how many were seen, and whether these were all."""
    cursor, seen = b"0", 0
    while True:
        (reply,) = _ask(client, (b"SCAN", cursor, b"COUNT", b"%d" % _SCAN), address=address)
        cursor, found = reply
        seen += len(found)
        for key in found:
            kind = _kind(key, commands)
            if kind:
                keys[kind] += 1
        if cursor == b"0" or seen >= most:
            return seen, bool(cursor == b"0")


def _kind(key: bytes, commands: Commands) -> str:
    prefix = commands.prefix + b":"
    if not key.startswith(prefix):
        return ""
    rest = key[len(prefix) :]
    if rest.startswith(b"{c}:"):
        return "coordination"
    if rest.startswith(b"{"):
        return "lock" if rest.endswith(b"}:l") else "value"
    return {b"t:": "tag", b"n:": "namespace"}.get(rest[:2], "")


def _coordination(client: Client, commands: Commands) -> tuple[int, float | None]:
    holders, epoch = _ask(client, (b"HLEN", commands.holders), (b"GET", commands.epoch))
    if epoch is None:
        return holders, None
    address = client.coordination_address(commands.epoch)
    ((seconds, micros),) = _ask(client, (b"TIME",), address=address)
    return holders, int(seconds) + int(micros) / 1e6 - int(epoch[8:21]) / 1000


def _server(client: Client, address: Address) -> Server:
    info, slow = _ask(client, (b"INFO",), (b"SLOWLOG", b"GET", b"32"), address=address)
    facts = dict(line.split(":", 1) for line in info.decode().splitlines() if ":" in line)
    found = {name: facts.get(field, "0") for name, field in _INFO.items()}
    numbers = {name: int(text) for name, text in found.items() if name not in ("version", "policy")}
    return Server(
        address=f"{address.host}:{address.port}" if address.host else "unix socket",
        version=found["version"],
        policy=found["policy"],
        slow=_slowest(slow),
        **numbers,
    )


def _slowest(entries: list[Any]) -> tuple[SlowCommand, ...]:
    found = [SlowCommand(each[3][0].decode(errors="replace"), each[2] / 1000, each[1]) for each in entries]
    return tuple(sorted(found, key=lambda each: -each.ms)[:5])
