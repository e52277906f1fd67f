"""Which servers there are behind a URL, and who owns which slot."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from hiredis import ReplyError

from pitstop.cache.redis.address import Address, Target
from pitstop.cache.redis.handshake import lost
from pitstop.cache.redis.wire import Wire
from pitstop.errors import RedisUnavailable, SettingsError

__all__ = ["Topology", "discover"]

SLOTS = 16384


@dataclass(frozen=True, slots=True)
class Topology:
    """The servers that take writes.

    Attributes:
        masters: all of them; exactly one without a Cluster.
        owners: of each slot, None where nobody has it; empty without a Cluster.
    """

    masters: tuple[Address, ...]
    owners: tuple[Address | None, ...] = ()

    def owner(self, key: bytes | None) -> Address:
        """Who has a key; for None, one server that is the same for every process."""
        if not self.owners:
            return self.masters[0]
        return self.owners[slot(key) if key is not None else 0] or self.masters[0]


def slot(key: bytes) -> int:
    """The Cluster slot of a key."""
    from redis.crc import (
        key_slot,
    )  # redis-py takes a fifth of a second to import and one node needs none of it

    return key_slot(key)


def discover(target: Target, *, connect_seconds: float, known: Sequence[Address] = ()) -> Topology:
    """Ask the servers.

    Args:
        target: what the URL names.
        connect_seconds: to wait for each server.
        known: further servers of the Cluster, from before.

    Raises:
        RedisUnavailable: none of them answers.
        SettingsError: the URL names another kind of server than is there.
    """
    if target.kind == "sentinel":
        return _watched(target, connect_seconds)
    failure: RedisUnavailable | None = None
    # In any order: a server cut off from the others may know only how things were.
    for address in random.sample([*target.seeds, *known], len(target.seeds) + len(known)):
        try:
            return _ask(address, target, connect_seconds)
        except RedisUnavailable as error:
            failure = error
    assert failure is not None
    raise failure


def _ask(address: Address, target: Target, seconds: float) -> Topology:
    wire = Wire(address, connect_seconds=seconds)
    try:
        mode = wire.hello["mode"]
        if mode == "sentinel":
            raise SettingsError(
                f"redis at {address} is a sentinel: write redis+sentinel://host:port/master_name/{address.db}"
            )
        if mode == "cluster":
            return _cluster(address, wire.blocking([(b"CLUSTER", b"SLOTS")], seconds)[0])
        if target.kind == "cluster":
            raise SettingsError(f"redis at {address} belongs to no cluster: write redis:// with one host")
        return Topology((address,))
    finally:
        wire.close()


def _cluster(asked: Address, ranges: Any) -> Topology:
    if isinstance(ranges, ReplyError):
        raise lost(asked, ranges)
    owners: list[Address | None] = [None] * SLOTS
    masters: dict[Address, None] = {}
    for first, last, master, *_ in ranges:
        host = (master[0] or b"").decode()
        # No name, or "?": the server does not know its own, so it is the one we asked.
        owner = replace(asked, host=host if host not in ("", "?") else asked.host, port=master[1], path=None)
        masters[owner] = None
        owners[first : last + 1] = [owner] * (last + 1 - first)
    ordered = sorted(masters, key=lambda address: (address.host, address.port))
    return Topology(tuple(ordered) or (asked,), tuple(owners))


def _watched(target: Target, seconds: float) -> Topology:
    """The master that Sentinels name, if it thinks so too."""
    from redis.backoff import NoBackoff
    from redis.exceptions import RedisError
    from redis.retry import Retry
    from redis.sentinel import Sentinel

    first = target.seeds[0]
    options: dict[str, Any] = {"socket_timeout": seconds, "socket_connect_timeout": seconds}
    options["retry"] = Retry(NoBackoff(), 0)  # the next Sentinel is asked instead
    if target.sentinel_password is not None:
        options |= {"username": target.sentinel_username, "password": target.sentinel_password}
    if first.ssl:
        options |= {"ssl": True, "ssl_ca_certs": first.ca_file}
        options |= {"ssl_cert_reqs": "required" if first.verify else "none"}
        options |= {"ssl_check_hostname": first.verify and first.check_hostname}
    sentinel = Sentinel(  # type: ignore[no-untyped-call]
        [(seed.host, seed.port) for seed in target.seeds], sentinel_kwargs=options
    )
    try:
        host, port = sentinel.discover_master(target.master)  # type: ignore[no-untyped-call]
    except RedisError as error:
        raise RedisUnavailable(f"sentinels at {target} name no master {target.master!r}: {error}") from error
    finally:
        for each in sentinel.sentinels:
            each.close()
    address = replace(first, host=host, port=port)
    wire = Wire(address, connect_seconds=seconds)
    wire.close()
    if wire.hello["role"] != "master":
        raise lost(address, f"it is no master, though sentinels call it {target.master!r}")
    return Topology((address,))
