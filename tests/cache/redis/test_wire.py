"""The blocking connection of one thread."""

import threading
import time
from dataclasses import replace

import pytest
from hiredis import PushNotification, ReplyError

from pitstop.cache.redis.address import Address, parse_url
from pitstop.cache.redis.wire import Wire
from pitstop.errors import RedisUnavailable
from tests.cache.server import OwnRedis


def test_greets(own_redis: OwnRedis) -> None:
    """The server says at once what it is."""
    wire = own_redis.wire()
    assert wire.hello["mode"] == "standalone"
    assert wire.hello["role"] == "master"
    wire.close()


def test_error_replies_come_in_place(own_redis: OwnRedis) -> None:
    """An error of the server is a reply like others, and spoils none of them."""
    wire = own_redis.wire()
    replies = wire.blocking([(b"SET", b"k", b"v"), (b"LPUSH", b"k", b"x"), (b"GET", b"k")], 1.0)
    assert isinstance(replies[1], ReplyError)
    assert (replies[0], replies[2]) == (b"OK", b"v")
    wire.close()


def test_pushes_and_replies_keep_their_order(own_redis: OwnRedis) -> None:
    """A message published before a PING of the same connection arrives before its reply."""
    wire = own_redis.wire()
    wire.send((b"SUBSCRIBE", b"news"), (b"PUBLISH", b"news", b"1"), (b"PING",))
    frames: list[object] = []
    while b"PONG" not in frames:
        frames += wire.receive(5.0)
    message = next(
        i for i, each in enumerate(frames) if isinstance(each, PushNotification) and each[0] == b"message"
    )
    assert message < frames.index(b"PONG")
    wire.close()


def test_pushes_are_kept_during_a_blocking_call(own_redis: OwnRedis) -> None:
    """What is pushed while somebody waits for a reply is not lost."""
    wire = own_redis.wire()
    wire.blocking([(b"CLIENT", b"TRACKING", b"ON", b"BCAST")], 1.0)
    assert wire.blocking([(b"SET", b"k", b"v"), (b"GET", b"k")], 1.0) == [b"OK", b"v"]
    assert wire.receive(5.0) == [[b"invalidate", [b"k"]]]
    wire.close()


def test_nothing_comes(own_redis: OwnRedis) -> None:
    """Without frames the time runs out, which is no error."""
    wire = own_redis.wire()
    assert wire.receive(0.01) == []
    wire.close()


def test_wakes(own_redis: OwnRedis) -> None:
    """Another thread ends a wait that would be long."""
    wire = own_redis.wire()
    timer = threading.Timer(0.05, wire.wake)
    timer.start()
    began = time.monotonic()
    assert wire.receive(60.0) == []
    assert time.monotonic() - began < 30.0
    timer.join()
    wire.close()
    wire.wake()  # closed meanwhile: nothing happens


def test_big_value(own_redis: OwnRedis) -> None:
    """A value far beyond the buffers of the kernel goes there and comes back."""
    wire = own_redis.wire()
    value = bytes(range(256)) * 100_000
    assert wire.blocking([(b"SET", b"big", value), (b"GET", b"big")], 20.0)[1] == value
    wire.close()


def test_frozen_server(own_redis: OwnRedis) -> None:
    """A server that is silent ends the wait; the connection is given up with it."""
    wire = own_redis.wire()
    own_redis.freeze()
    with pytest.raises(RedisUnavailable, match=r"no answer within 0\.05 s"):
        wire.blocking([(b"PING",)], 0.05)
    assert wire.closed
    with pytest.raises(RedisUnavailable):
        Wire(own_redis.address, connect_seconds=0.05)


def test_killed_server(own_redis: OwnRedis) -> None:
    """The end of the server is an error of the next call, and so is a refused connection."""
    wire = own_redis.wire()
    own_redis.stop(kill=True)
    with pytest.raises(RedisUnavailable, match="closed by the server"):
        wire.receive(5.0)
    with pytest.raises(RedisUnavailable, match="connection refused"):
        own_redis.wire()


def test_unix_socket_and_database(own_redis: OwnRedis) -> None:
    """A Unix socket serves as well; logical databases are apart."""
    first, second = (Wire(parse_url(f"unix://{own_redis.socket}?db={db}").seeds[0]) for db in (0, 3))
    first.blocking([(b"SET", b"k", b"v")], 1.0)
    assert second.blocking([(b"GET", b"k")], 1.0) == [None]
    first.close()
    second.close()


def test_password(redis_url: str) -> None:
    """A wrong password or none is told with its cure, and never shown."""
    address = parse_url(redis_url).seeds[0]
    Wire(address).close()
    with pytest.raises(RedisUnavailable, match="user or password is wrong") as raised:
        Wire(replace(address, password="hunter2"))
    assert "hunter2" not in str(raised.value)
    with pytest.raises(RedisUnavailable, match="wants a password"):
        Wire(replace(address, password=None))


def test_nobody_there() -> None:
    """A name that leads nowhere is an error of ours."""
    with pytest.raises(RedisUnavailable, match=r"redis at redis://127\.0\.0\.1:1/0 is unavailable"):
        Wire(Address(host="127.0.0.1", port=1))
