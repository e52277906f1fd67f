"""The client of one server, in loops, threads and processes."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hiredis import ReplyError

from pitstop.cache.redis.script import Script
from pitstop.cache.redis.topology import Client
from pitstop.errors import RedisUnavailable
from tests.cache.server import OwnRedis

ADD = Script("return redis.call('INCRBY', KEYS[1], ARGV[1])")


@pytest.fixture
async def client(own_redis: OwnRedis) -> AsyncIterator[Client]:
    made = Client(own_redis.url)
    yield made
    await made.close()


async def test_both_worlds(client: Client) -> None:
    """Asynchronous and synchronous code reach the same server."""
    assert await client.run([(b"SET", b"k", b"v"), (b"GET", b"k")], seconds=5.0) == [b"OK", b"v"]
    assert client.run_blocking([(b"GET", b"k"), (b"PUBLISH", b"c", b"m")], seconds=5.0) == [b"v", 0]
    assert await client.run([], seconds=5.0) == []


async def test_scripts_need_no_loading(client: Client) -> None:
    """A script is run by its hash; a server that does not know it gets its source, unseen by the caller."""
    calls = [(b"SET", b"n", b"1"), ADD.call([b"n"], [b"2"]), (b"GET", b"n"), ADD.call([b"n"], [b"5"])]
    await client.run([(b"SCRIPT", b"FLUSH")], seconds=5.0)
    replies = await client.run(calls, seconds=5.0)
    assert replies[0] == b"OK"
    assert sorted([replies[1], replies[3]]) in ([3, 8], [6, 8])
    await client.run([(b"SCRIPT", b"FLUSH")], seconds=5.0)
    assert client.run_blocking([ADD.call([b"n"], [b"1"])], seconds=5.0) == [9]
    assert await client.run([ADD.call([b"n"], [b"1"])], seconds=5.0) == [10]


async def test_error_replies_come_in_place(client: Client) -> None:
    """Errors that no further round can cure are replies, also of a script."""
    unknown = (b"EVALSHA", b"0" * 40, b"0")
    replies = await client.run([(b"SET", b"k", b"v"), (b"INCR", b"k"), unknown], seconds=5.0)
    assert replies[0] == b"OK"
    assert [isinstance(reply, ReplyError) for reply in replies[1:]] == [True, True]
    assert isinstance(client.run_blocking([(b"INCR", b"k")], seconds=5.0)[0], ReplyError)


async def test_where_things_are(own_redis: OwnRedis, client: Client) -> None:
    """One node coordinates everything, and a new run of it shows."""
    address = await asyncio.to_thread(client.coordination_address, b"k")
    assert address.port == own_redis.port
    assert await client.masters(seconds=5.0) == client.masters_blocking() == (address,)
    before = client.run_id(address)
    assert before == client.run_id(address)
    own_redis.restart()
    assert client.run_id(address) != before


def test_loops_of_several_threads(own_redis: OwnRedis) -> None:
    """Each loop has a connection of its own, which ends with the loop though nobody closed it."""
    client = Client(own_redis.url)
    barrier = threading.Barrier(4)

    async def work() -> int:
        replies = await asyncio.gather(*[client.run([(b"CLIENT", b"ID")], seconds=20.0) for _ in range(50)])
        barrier.wait(20.0)
        return replies[0][0] if len({reply[0] for reply in replies}) == 1 else 0

    with ThreadPoolExecutor(4) as threads:
        ids = [each.result() for each in [threads.submit(asyncio.run, work()) for _ in range(4)]]
    assert len(set(ids)) == 4
    assert 0 not in ids
    assert len(client.run_blocking([(b"CLIENT", b"LIST")], seconds=5.0)[0].splitlines()) == 1
    client.close_blocking()


def test_one_loop_after_another(own_redis: OwnRedis) -> None:
    """A client outlives its loops, and keeps nothing of those that ended."""
    client = Client(own_redis.url)
    for _ in range(3):
        assert asyncio.run(client.run([(b"PING",)], seconds=5.0)) == [b"PONG"]
    assert len(client._pools) == 1


async def test_fork(own_redis: OwnRedis, client: Client) -> None:
    """A child of a process with open connections makes its own, in its own loop; the parent's go on."""
    before = await client.run([(b"CLIENT", b"ID")], seconds=5.0)
    blocking = client.run_blocking([(b"CLIENT", b"ID")], seconds=5.0)
    child = os.fork()
    if child == 0:
        try:
            asyncio.events._set_running_loop(None)
            own = asyncio.run(client.run([(b"CLIENT", b"ID")], seconds=5.0))
            also = client.run_blocking([(b"CLIENT", b"ID")], seconds=5.0)
            os._exit(0 if own != before and also != blocking else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert await client.run([(b"CLIENT", b"ID")], seconds=5.0) == before
    assert client.run_blocking([(b"CLIENT", b"ID")], seconds=5.0) == blocking


async def test_cold_start_without_a_server(own_redis: OwnRedis, client: Client) -> None:
    """Nobody there is an error for all callers at once; they get through when it is up."""
    own_redis.stop()
    results = await asyncio.gather(
        *[client.run([(b"PING",)], seconds=5.0) for _ in range(30)], return_exceptions=True
    )
    assert all(isinstance(each, RedisUnavailable) for each in results)
    with pytest.raises(RedisUnavailable):
        client.run_blocking([(b"PING",)], seconds=5.0)
    own_redis.start()
    for _ in range(200):
        try:
            assert await client.run([(b"PING",)], seconds=5.0) == [b"PONG"]
            return
        except RedisUnavailable:
            await asyncio.sleep(0.02)
    pytest.fail("never connected")


async def test_cold_start_with_a_frozen_server(own_redis: OwnRedis, client: Client) -> None:
    """A server that takes connections and says nothing costs the caller's time and no more."""
    own_redis.freeze()
    with pytest.raises(RedisUnavailable, match=r"no answer within 0\.05 s"):
        await client.run([(b"PING",)], seconds=0.05)
    own_redis.thaw()
    assert await client.run([(b"PING",)], seconds=10.0) == [b"PONG"]


async def test_demoted_server(own_redis: OwnRedis, client: Client) -> None:
    """A server that turned replica is left for a new connection: its name may lead elsewhere."""
    before = await client.run([(b"CLIENT", b"ID")], seconds=5.0)
    own_redis.command("REPLICAOF", "127.0.0.1", 1)
    waiting = asyncio.create_task(client.run([(b"SET", b"k", b"v")], seconds=5.0))
    await asyncio.sleep(0.02)
    own_redis.command("REPLICAOF", "NO", "ONE")
    assert await waiting == [b"OK"]
    assert await client.run([(b"CLIENT", b"ID")], seconds=5.0) != before


def test_uvloop(own_redis: OwnRedis) -> None:
    """The event loop of uvicorn serves as well, and closes the connections at its end."""
    uvloop = pytest.importorskip("uvloop")
    client = Client(own_redis.url)

    async def work() -> list[list[object]]:
        return await asyncio.gather(*[client.run([(b"ECHO", b"%d" % n)], seconds=5.0) for n in range(100)])

    assert uvloop.run(work()) == [[b"%d" % n] for n in range(100)]


async def test_redis7(own_redis7: OwnRedis) -> None:
    """Redis 7 is spoken to in the same way."""
    client = Client(own_redis7.url)
    assert await client.run([(b"SET", b"n", b"1"), ADD.call([b"n"], [b"2"])], seconds=5.0) == [b"OK", 3]
    await client.close()
