"""The client in front of a Redis Cluster."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from hiredis import ReplyError

from pitstop.cache.redis.discovery import slot
from pitstop.cache.redis.script import Script
from pitstop.cache.redis.topology import Client
from pitstop.errors import RedisUnavailable, SettingsError
from tests.cache.cluster import OwnCluster
from tests.cache.server import OwnRedis

KEYS = [b"key:%d" % number for number in range(60)]
ADD = Script("return redis.call('INCRBY', KEYS[1], ARGV[1])")


@pytest.fixture
async def client(redis_cluster: OwnCluster) -> AsyncIterator[Client]:
    made = Client(redis_cluster.url)
    for master in await made.masters(seconds=5.0):
        await made.run([(b"FLUSHALL",)], seconds=5.0, address=master)
    yield made
    await made.close()


async def test_each_command_goes_to_its_node(client: Client) -> None:
    """Keys of all nodes are written and read in one call, and the replies keep their order."""
    replies = await client.run([(b"SET", key, key) for key in KEYS], seconds=5.0)
    assert replies == [b"OK"] * len(KEYS)
    assert await client.run([(b"GET", key) for key in KEYS], seconds=5.0) == KEYS
    assert client.run_blocking([(b"GET", key) for key in KEYS], seconds=5.0) == KEYS
    sizes = [
        (await client.run([(b"DBSIZE",)], seconds=5.0, address=master))[0]
        for master in await client.masters(seconds=5.0)
    ]
    assert len(sizes) == 3
    assert min(sizes) > 0
    assert sum(sizes) == len(KEYS)


async def test_mget_over_nodes(client: Client) -> None:
    """An MGET whose keys lie anywhere gives its values in order, missing and wrong ones included."""
    await client.run([(b"SET", key, key) for key in KEYS[1:]], seconds=5.0)
    await client.run([(b"RPUSH", b"list", b"x")], seconds=5.0)
    mget = (b"MGET", *KEYS, b"list", KEYS[5])
    expected = [None, *KEYS[1:], None, KEYS[5]]
    replies = await client.run([(b"PING",), mget, (b"GET", KEYS[2])], seconds=5.0)
    assert replies == [b"PONG", expected, KEYS[2]]
    assert client.run_blocking([mget], seconds=5.0) == [expected]


async def test_scripts(client: Client) -> None:
    """A script goes to the node of its first key, which learns it by itself."""
    assert await client.run([ADD.call([key], [b"2"]) for key in KEYS], seconds=5.0) == [2] * len(KEYS)
    assert client.run_blocking([ADD.call([key], [b"2"]) for key in KEYS], seconds=5.0) == [4] * len(KEYS)


async def test_commands_without_a_key(redis_cluster: OwnCluster, client: Client) -> None:
    """They go to the owner of a given key, or else to the node that is the same for every process."""
    for key in KEYS[:5]:
        owner = await asyncio.to_thread(client.coordination_address, key)
        info = (await client.run([(b"INFO", b"server")], seconds=5.0, key=key))[0]
        assert b"tcp_port:%d\r" % owner.port in info
    first = [
        (await each.run([(b"CLUSTER", b"MYID")], seconds=5.0))[0]
        for each in (client, Client(redis_cluster.nodes[4].url))
    ]
    assert first[0] == first[1]


async def test_a_plain_url_finds_the_cluster(redis_cluster: OwnCluster) -> None:
    """redis:// of any node is enough, a replica's too."""
    client = Client(redis_cluster.nodes[4].url)
    assert await client.run([(b"SET", key, b"1") for key in KEYS], seconds=5.0) == [b"OK"] * len(KEYS)
    await client.close()


async def test_cluster_url_of_a_single_node(own_redis: OwnRedis) -> None:
    """A URL that promises a Cluster where there is none is refused."""
    with pytest.raises(SettingsError, match="belongs to no cluster"):
        await Client(own_redis.url.replace("redis://", "redis+cluster://")).run([(b"PING",)], seconds=5.0)


async def test_slot_on_the_move(redis_cluster: OwnCluster, client: Client) -> None:
    """While a slot moves, before its keys and after it, no caller notices."""
    key = KEYS[0]
    where = await asyncio.to_thread(client.coordination_address, key)
    source = next(node for node in redis_cluster.nodes if node.port == where.port)
    others = [master for master in client.masters_blocking() if master.port != where.port]
    target = next(node for node in redis_cluster.nodes if node.port == others[0].port)
    ids = redis_cluster.id_of(source), redis_cluster.id_of(target)
    await client.run([(b"SET", key, b"v")], seconds=5.0)

    target.command("CLUSTER", "SETSLOT", slot(key), "IMPORTING", ids[0])
    source.command("CLUSTER", "SETSLOT", slot(key), "MIGRATING", ids[1])
    source.command("MIGRATE", "127.0.0.1", target.port, key.decode(), 0, 5000)
    asked = [(b"GET", KEYS[1]), (b"GET", key), (b"MGET", key, KEYS[1]), ADD.call([b"{%b}n" % key], [b"1"])]
    assert await client.run(asked, seconds=5.0) == [None, b"v", [b"v", None], 1]  # ASK
    assert client.run_blocking(asked, seconds=5.0) == [None, b"v", [b"v", None], 2]

    for node in (target, source):
        node.command("CLUSTER", "SETSLOT", slot(key), "NODE", ids[1])
    assert await client.run(asked[:3], seconds=5.0) == [None, b"v", [b"v", None]]  # MOVED
    assert client.run_blocking(asked[:3], seconds=5.0) == [None, b"v", [b"v", None]]
    for _ in range(100):
        await client.run(asked[:1], seconds=5.0)
        if client._topology is not None and client._topology.owner(key).port == target.port:
            return
        await asyncio.sleep(0.02)
    pytest.fail("the move was not learnt")


async def test_fail_over(own_cluster: OwnCluster) -> None:
    """When a master dies its keys are served again by its replica, and the others' all the time."""
    client = Client(own_cluster.url)
    await client.run([(b"SET", key, key) for key in KEYS], seconds=5.0)
    own_cluster.nodes[0].command("WAIT", 1, 5000)
    dead = own_cluster.nodes[0]
    lost = [key for key in KEYS if client._topology and client._topology.owner(key).port == dead.port]
    rest = [key for key in KEYS if key not in lost]
    dead.stop(kill=True)
    with pytest.raises(RedisUnavailable):
        await client.run([(b"GET", key) for key in KEYS], seconds=1.0)
    assert await client.run([(b"GET", key) for key in rest], seconds=5.0) == rest
    deadline = time.monotonic() + 60.0
    while time.monotonic() < deadline:
        try:
            replies = await client.run([(b"GET", key) for key in KEYS], seconds=1.0)
            if not any(isinstance(reply, ReplyError) for reply in replies):
                assert replies == KEYS
                assert client.run_blocking([(b"GET", key) for key in KEYS], seconds=1.0) == KEYS
                break
        except RedisUnavailable:
            pass
        await asyncio.sleep(0.05)
    else:
        pytest.fail("the replica was never asked")
    await client.close()
