"""The auto-pipelining connection of one event loop."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest
from hiredis import ReplyError

from pitstop.cache.redis.address import parse_url
from pitstop.cache.redis.connection import Connection
from pitstop.errors import RedisUnavailable
from tests.cache.server import OwnRedis


@pytest.fixture
async def connection(own_redis: OwnRedis) -> AsyncIterator[Connection]:
    made = Connection(own_redis.address)
    yield made
    await made.close()


async def echo(connection: Connection, number: int, seconds: float = 30.0) -> None:
    """Ask for replies that only this caller can expect."""
    words = [b"%d-%d" % (number, part) for part in range(number % 4 + 1)]
    assert await connection.run([(b"ECHO", word) for word in words], seconds=seconds) == words


async def test_replies_reach_their_callers(connection: Connection) -> None:
    """A thousand callers at once each get their own replies, over one connection."""
    await asyncio.gather(*[echo(connection, number) for number in range(1000)])
    clients = (await connection.run([(b"CLIENT", b"LIST")], seconds=5.0))[0]
    assert len(clients.splitlines()) == 1


async def test_one_write_for_what_a_turn_leaves_waiting(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first command of a turn of the loop leaves at once, all others of that turn in one piece."""
    await echo(connection, 0)
    writes = []
    assert connection.link is not None
    transport = connection.link._transport
    assert transport is not None
    plain = transport.write
    monkeypatch.setattr(transport, "write", lambda data: (writes.append(data), plain(data)))
    await asyncio.gather(*[echo(connection, number) for number in range(20)])
    assert len(writes) == 2


async def test_cancelled_callers_disturb_nobody(connection: Connection) -> None:
    """Callers that give up at any moment leave the order of the others' replies as it was."""
    rng = random.Random(7)
    for _ in range(30):
        tasks = [asyncio.create_task(echo(connection, number)) for number in range(40)]
        for _ in range(rng.randrange(4)):
            await asyncio.sleep(0)
        gone = set(rng.sample(range(40), 15))
        for number in gone:
            tasks[number].cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        for number, result in enumerate(results):
            assert result is None or (number in gone and isinstance(result, asyncio.CancelledError))


async def test_late_replies_are_dropped(own_redis: OwnRedis, connection: Connection) -> None:
    """Replies to callers whose time ran out while the server was frozen go to nobody else afterwards."""
    await echo(connection, 0)
    own_redis.freeze()
    late = await asyncio.gather(*[echo(connection, n, 0.05) for n in range(50)], return_exceptions=True)
    assert all(isinstance(each, RedisUnavailable) for each in late)
    patient = [asyncio.create_task(echo(connection, number)) for number in range(50, 100)]
    await asyncio.sleep(0.05)
    own_redis.thaw()
    await asyncio.gather(*patient)
    await asyncio.gather(*[echo(connection, number) for number in range(100)])


async def test_short_deadline_behind_a_long_one(own_redis: OwnRedis, connection: Connection) -> None:
    """A caller in a hurry does not wait for a patient one before it."""
    await echo(connection, 0)
    own_redis.freeze()
    patient = asyncio.create_task(echo(connection, 1))
    await asyncio.sleep(0)
    with pytest.raises(RedisUnavailable, match="no answer in time"):
        await echo(connection, 2, 0.02)
    own_redis.thaw()
    await patient


async def test_a_silent_server_is_left(
    own_redis: OwnRedis, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that stays silent long after its caller left is given up, and made anew later."""
    monkeypatch.setattr("pitstop.cache.redis.link.DEAD_SECONDS", 0.1)
    await echo(connection, 0)
    link = connection.link
    own_redis.freeze()
    with pytest.raises(RedisUnavailable):
        await echo(connection, 1, 0.02)
    for _ in range(500):
        if connection.link is None:
            break
        await asyncio.sleep(0.01)
    own_redis.thaw()
    await asyncio.sleep(0.05)
    await echo(connection, 2)
    assert connection.link is not link


async def test_error_replies_come_in_place(connection: Connection) -> None:
    """An error of the server is a reply, not an exception."""
    replies = await connection.run([(b"SET", b"k", b"v"), (b"INCR", b"k"), (b"GET", b"k")], seconds=5.0)
    assert isinstance(replies[1], ReplyError)
    assert replies[2] == b"v"
    assert await connection.run([], seconds=5.0) == []


async def test_batches_stay_together(connection: Connection) -> None:
    """A transaction of one call is not mixed with what others send."""

    async def swap(value: bytes) -> None:
        replies = await connection.run(
            [(b"MULTI",), (b"SET", b"k", value), (b"GET", b"k"), (b"EXEC",)], seconds=30.0
        )
        assert replies[3] == [b"OK", value]

    await asyncio.gather(*[swap(b"%d" % number) for number in range(100)])


async def test_big_values(connection: Connection) -> None:
    """Values far beyond the buffers of the kernel go there and come back, many at a time."""
    value = bytes(range(256)) * 20_000
    await connection.run([(b"SET", b"big", value)], seconds=30.0)
    replies = await asyncio.gather(*[connection.run([(b"GET", b"big")], seconds=30.0) for _ in range(5)])
    assert all(reply == [value] for reply in replies)


async def test_backlog_is_bounded(
    own_redis: OwnRedis, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a frozen server takes nothing in, callers are turned away instead of filling the memory."""
    monkeypatch.setattr("pitstop.cache.redis.link.BACKLOG_BYTES", 1_000_000)
    await echo(connection, 0)
    own_redis.freeze()
    value = bytes(2_000_000)
    results = []
    for _ in range(20):
        try:
            await connection.run([(b"SET", b"k", value)], seconds=0.02)
        except RedisUnavailable as error:
            results.append(str(error))
    own_redis.thaw()
    assert any("bytes are waiting to be sent" in each for each in results)


async def test_restarted_server(own_redis: OwnRedis, connection: Connection) -> None:
    """After a loss callers in flight get an error; the next call connects again."""
    await echo(connection, 0)
    own_redis.freeze()
    waiting = asyncio.create_task(echo(connection, 1))
    await asyncio.sleep(0.02)
    own_redis.restart()
    with pytest.raises(RedisUnavailable):
        await waiting
    await echo(connection, 2)


async def test_back_off(own_redis: OwnRedis, connection: Connection) -> None:
    """A server that refuses connections is left alone for a short while, then tried again."""
    own_redis.stop(kill=True)
    results = await asyncio.gather(*[echo(connection, n) for n in range(20)], return_exceptions=True)
    assert all(isinstance(each, RedisUnavailable) for each in results)
    with pytest.raises(RedisUnavailable, match="connection refused"):
        await echo(connection, 1)
    own_redis.start()
    for _ in range(200):
        try:
            await echo(connection, 1)
            return
        except RedisUnavailable:
            await asyncio.sleep(0.02)
    pytest.fail("never connected again")


async def test_cancelled_while_connecting(own_redis: OwnRedis, connection: Connection) -> None:
    """The caller that began to connect may leave: the others get the connection."""
    own_redis.freeze()
    first = asyncio.create_task(echo(connection, 1))
    others = [asyncio.create_task(echo(connection, number)) for number in range(2, 10)]
    await asyncio.sleep(0.02)
    first.cancel()
    own_redis.thaw()
    await asyncio.gather(*others)
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_close_ends_waiting_callers(own_redis: OwnRedis, connection: Connection) -> None:
    """Closing tells those who wait, and the connection can be used again."""
    await echo(connection, 0)
    own_redis.freeze()
    waiting = asyncio.create_task(echo(connection, 1))
    await asyncio.sleep(0.02)
    await connection.close()
    with pytest.raises(RedisUnavailable):
        await waiting
    own_redis.thaw()
    await echo(connection, 2)


async def test_unix_socket_password_and_database(own_redis: OwnRedis, redis_url: str) -> None:
    """Unix sockets, passwords and logical databases work."""
    for url in (f"unix://{own_redis.socket}?db=2", redis_url):
        connection = Connection(parse_url(url).seeds[0])
        await echo(connection, 3)
        db = parse_url(url).seeds[0].db
        assert b" db=%d " % db in (await connection.run([(b"CLIENT", b"LIST")], seconds=5.0))[0]
        await connection.close()


async def test_wrong_password(redis_url: str) -> None:
    """A refused greeting is an error that never shows the password."""
    connection = Connection(parse_url(redis_url.replace("redis://:", "redis://:not")).seeds[0])
    with pytest.raises(RedisUnavailable, match="user or password is wrong"):
        await echo(connection, 1)
    await connection.close()
