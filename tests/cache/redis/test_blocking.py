"""Connections of synchronous code."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from pitstop.cache.redis.blocking import BlockingConnection
from pitstop.errors import RedisUnavailable
from tests.cache.server import OwnRedis


def echo(connection: BlockingConnection, number: int) -> bool:
    words = [b"%d-%d" % (number, part) for part in range(3)]
    return connection.run([(b"ECHO", word) for word in words], seconds=20.0) == words


def test_threads(own_redis: OwnRedis) -> None:
    """Threads that share a connection get their own replies."""
    connection = BlockingConnection(own_redis.address)
    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(lambda number: echo(connection, number), range(500)))
    connection.close()


def test_connections_are_reused(own_redis: OwnRedis) -> None:
    """One thread needs one connection however often it asks."""
    connection = BlockingConnection(own_redis.address)
    ids = {connection.run([(b"CLIENT", b"ID")], seconds=5.0)[0] for _ in range(5)}
    assert len(ids) == 1
    connection.close()


def test_frozen_server(own_redis: OwnRedis) -> None:
    """A reply that comes too late reaches nobody: its connection is given up."""
    connection = BlockingConnection(own_redis.address)
    assert echo(connection, 1)
    own_redis.freeze()
    with pytest.raises(RedisUnavailable, match="no answer within"):
        connection.run([(b"ECHO", b"late")], seconds=0.05)
    own_redis.thaw()
    assert echo(connection, 2)
    connection.close()


def test_restarted_server(own_redis: OwnRedis) -> None:
    """An idle connection that the server has closed is not used: the next call succeeds."""
    connection = BlockingConnection(own_redis.address)
    assert echo(connection, 1)
    own_redis.restart()
    assert echo(connection, 2)
    connection.close()


def test_no_time_left(own_redis: OwnRedis) -> None:
    """A caller whose time was over before it asked gets the usual error, and leaves no socket open."""
    connection = BlockingConnection(own_redis.address)
    own_redis.freeze()
    with pytest.raises(RedisUnavailable, match="no answer within"):
        connection.run([(b"PING",)], seconds=-1.0)
    connection.close()


def test_fork(own_redis: OwnRedis) -> None:
    """A child gets connections of its own and leaves the parent's alone."""
    connection = BlockingConnection(own_redis.address)
    before = connection.run([(b"CLIENT", b"ID")], seconds=5.0)
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if connection.run([(b"CLIENT", b"ID")], seconds=5.0) != before else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert connection.run([(b"CLIENT", b"ID")], seconds=5.0) == before
    connection.close()
