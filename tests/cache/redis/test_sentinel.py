"""The client in front of Sentinels."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pitstop.cache.redis.topology import Client
from pitstop.errors import RedisUnavailable, SettingsError
from pitstop.servers.process import wait_until
from tests.cache.server import OwnRedis


@dataclass
class Watched:
    """A master, its replica and the Sentinel that watches them."""

    master: OwnRedis
    replica: OwnRedis
    sentinel: OwnRedis

    @property
    def url(self) -> str:
        return f"redis+sentinel://:secret@127.0.0.1:1,127.0.0.1:{self.sentinel.port}/shop/0"


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    """Servers with a password, and a Sentinel without."""
    master = OwnRedis(tmp_path / "master", password="secret")
    replica = OwnRedis(
        tmp_path / "replica", password="secret", settings=[f"replicaof 127.0.0.1 {master.port}"]
    )
    watch = [
        f"sentinel monitor shop 127.0.0.1 {master.port} 1",
        "sentinel auth-pass shop secret",
        "sentinel down-after-milliseconds shop 500",
        "sentinel failover-timeout shop 5000",
    ]
    sentinel = OwnRedis(tmp_path / "sentinel", settings=watch, sentinel=True)
    servers = [master, replica, sentinel]
    try:
        for server in servers:
            server.start()
        assert wait_until(lambda: b"slaves=1" in bytes(sentinel.command("INFO", "sentinel")), seconds=30.0)
        assert wait_until(
            lambda: b"link_status:up" in bytes(replica.command("INFO", "replication")), seconds=30.0
        )
        yield Watched(*servers)
    finally:
        for server in servers:
            server.stop(kill=True)


async def test_fail_over(watched: Watched) -> None:
    """The client reaches the master; when it dies, the one that Sentinel makes of the replica."""
    client = Client(watched.url)
    assert await client.run([(b"SET", b"k", b"v"), (b"WAIT", b"1", b"5000")], seconds=6.0) == [b"OK", 1]
    watched.master.stop(kill=True)
    deadline = time.monotonic() + 60.0
    while time.monotonic() < deadline:
        try:
            if await client.run([(b"GET", b"k"), (b"SET", b"n", b"1")], seconds=1.0) == [b"v", b"OK"]:
                break
        except RedisUnavailable:
            pass
        await asyncio.sleep(0.05)
    else:
        pytest.fail("the new master was never asked")
    address = await asyncio.to_thread(client.coordination_address, b"k", fresh=True)
    assert address.port == watched.replica.port
    assert client.run_blocking([(b"GET", b"k")], seconds=5.0) == [b"v"]
    await client.close()


async def test_demoted_master(watched: Watched) -> None:
    """A master that became a replica under an open connection is left for the new one."""
    client = Client(watched.url)
    assert await client.run([(b"SET", b"k", b"v")], seconds=5.0) == [b"OK"]
    watched.sentinel.command("SENTINEL", "FAILOVER", "shop")
    deadline = time.monotonic() + 60.0
    while time.monotonic() < deadline:
        if b"role:master" in bytes(watched.replica.command("INFO", "replication")):
            break
        await asyncio.sleep(0.05)
    watched.master.command(
        "REPLICAOF", "127.0.0.1", watched.replica.port
    )  # Sentinel takes ten seconds for it
    results: list[object] = []
    while time.monotonic() < deadline and results != [b"OK"]:
        try:
            results = await client.run([(b"SET", b"k", b"w")], seconds=2.0)
        except RedisUnavailable:
            await asyncio.sleep(0.05)
    assert results == [b"OK"]
    assert client.masters_blocking()[0].port == watched.replica.port
    await client.close()


async def test_wrong_names(watched: Watched) -> None:
    """A master that nobody watches, and a Sentinel addressed as a server, are told."""
    with pytest.raises(RedisUnavailable, match="name no master 'nobody'"):
        await Client(watched.url.replace("shop", "nobody")).run([(b"PING",)], seconds=5.0)
    with pytest.raises(SettingsError, match=r"is a sentinel: write redis\+sentinel://"):
        await Client(watched.sentinel.url).run([(b"PING",)], seconds=5.0)
