"""Greeting a Redis that speaks RESP2 alone, or stands behind a proxy that does."""

import asyncio
import logging
from collections.abc import Iterator

import pytest

from pitstop.cache import Cache
from pitstop.cache.redis.address import parse_url
from pitstop.cache.redis.connection import Connection
from pitstop.cache.redis.wire import Wire
from pitstop.errors import RedisUnavailable
from tests.cache.conftest import OpenCache
from tests.cache.race.proxy import Proxy
from tests.cache.server import OwnRedis

REFUSALS = {
    "older than Redis 6": b"-ERR unknown command `HELLO`, with args beginning with: `3`, \r\n",
    "a proxy of RESP2": b"-NOPROTO unsupported protocol version\r\n",
    "a proxy that answers in RESP2": b"",
}
CURE = r"does not speak RESP3 \(HELLO 3\): use redis 6.2 or later, and no proxy"


class Resp2Proxy(Proxy):
    """Refuses HELLO 3, or, with nothing to say, makes it HELLO 2; forwards all else."""

    def __init__(self, port: int, *, refusal: bytes) -> None:
        self._refusal = refusal
        super().__init__(port)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hello = await reader.readuntil(b"\r\n3\r\n")
        if self._refusal:
            writer.write(self._refusal)
        else:
            reader.feed_data(hello.replace(b"\r\n3\r\n", b"\r\n2\r\n"))
        await super()._accept(reader, writer)


@pytest.fixture(params=REFUSALS.values(), ids=REFUSALS)
def proxy(request: pytest.FixtureRequest, own_redis: OwnRedis) -> Iterator[Resp2Proxy]:
    with Resp2Proxy(own_redis.port, refusal=request.param) as proxy:
        yield proxy


async def test_connections(proxy: Resp2Proxy) -> None:
    """Both kinds of connection say what is wrong and what to do."""
    address = parse_url(proxy.url).seeds[0]
    connection = Connection(address, connect_seconds=10.0)
    with pytest.raises(RedisUnavailable, match=CURE):
        await connection.run([(b"PING",)], seconds=10.0)
    await connection.close()
    with pytest.raises(RedisUnavailable, match=CURE):
        await asyncio.to_thread(Wire, address, connect_seconds=10.0)


async def test_cache(proxy: Resp2Proxy, open_cache: OpenCache, caplog: pytest.LogCaptureFixture) -> None:
    """A cache goes on without it, as if Redis were away, and its log says the cure."""
    cache: Cache = open_cache(redis=proxy.url)
    calls = []

    @cache.cached(ttl=60)
    async def f(n: int) -> int:
        calls.append(n)
        return n

    with caplog.at_level(logging.WARNING, "pitstop.cache"), pytest.raises(RedisUnavailable):
        await cache.start(seconds=3)
    assert [await f(1), await f(1)] == calls == [1, 1]
    assert "use redis 6.2 or later" in caplog.text
