"""Ways a cache may run: off, without Redis, with one that is away, hangs, restarts, refuses or evicts."""

import asyncio
import logging
import os
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from pitstop.cache import Cache
from pitstop.errors import FenceFailed, RedisUnavailable, SettingsError
from tests.cache.cluster import OwnCluster
from tests.cache.conftest import OpenCache
from tests.cache.server import OwnRedis
from tests.cache.shop import Order, Orders, order_tags
from tests.cache.wait import until


class Count:
    """A cached function that counts its calls."""

    def __init__(self, cache: Cache) -> None:
        self.calls = 0
        self.cache = cache

        @cache.cached(ttl=60, tags=["a:{n}"])
        async def f(n: int) -> int:
            self.calls += 1
            return self.calls

        self.f = f

    async def is_kept(self) -> bool:
        """Whether the second of two calls finds what the first one left."""
        before = self.calls
        await self.f(1)
        await self.f(1)
        return self.calls - before <= 1

    async def is_cached(self) -> bool:
        """The same, soon: on a busy machine a short lease is lost, and comes back."""
        for _ in range(500):
            if await self.is_kept():
                return True
            await asyncio.sleep(0.05)
        return False

    async def up(self, *, wanted: bool = True) -> None:
        await until(lambda: self.cache.stats().up is wanted, "up" if wanted else "down")


@pytest.mark.parametrize("how", ["argument", "environment"])
async def test_off(
    open_cache: OpenCache, monkeypatch: pytest.MonkeyPatch, engine: sa.Engine, how: str
) -> None:
    """A cache that is off calls every function, connects nowhere and takes no part in commits."""
    if how == "environment":
        monkeypatch.setenv("PITSTOP_CACHE_ENABLED", "0")
    cache = open_cache(redis="redis://127.0.0.1:1/0", enabled=False if how == "argument" else None)
    cache.invalidate_on_commit(Order, tags=order_tags)
    count = Count(cache)
    assert [await count.f(1), await count.f(1), await count.f.refresh(1)] == [1, 2, 3]
    await count.f.invalidate(1)
    await cache.invalidate("a")
    assert await cache.set("a", 1) is False
    assert await cache.get("a", 7) == 7
    await cache.start()
    with Session(engine) as session:
        session.get_one(Order, 1).total = 5
        session.commit()


@pytest.mark.parametrize(
    "options",
    [
        {"coherence": "loose"},
        {"on_fence_failure": "ignore"},
        {"lease": 0},
        {"soft_timeout": -1},
        {"local_items": -1},
        {"local_bytes": -1},
        {"shadow_rate": 2},
    ],
)
def test_options_that_cannot_work(options: dict[str, object]) -> None:
    """Wrong options are refused by name."""
    with pytest.raises(SettingsError, match=next(iter(options))):
        Cache(**options)  # type: ignore[arg-type]


async def test_redis_away_from_the_start(open_cache: OpenCache) -> None:
    """start() says so; calls go to the function; invalidation goes on."""
    count = Count(open_cache(redis="redis://127.0.0.1:1/0"))
    with pytest.raises(RedisUnavailable, match=r"0\.3 s"):
        await count.cache.start(seconds=0.3)
    assert [await count.f(1), await count.f(1)] == [1, 2]
    await count.cache.invalidate("a:1")
    assert count.cache.stats().namespaces["default"].unfilled["redis is away"] == 2


async def test_a_lifespan_without_redis() -> None:
    """``async with`` begins without Redis, too: an application does not depend on its cache."""
    async with Cache("redis://127.0.0.1:1/0") as cache:
        count = Count(cache)
        assert [await count.f(1), await count.f(1)] == [1, 2]


async def test_redis_comes_and_goes(open_cache: OpenCache, own_redis: OwnRedis) -> None:
    """Killed, Redis is done without; started again, it is used again and nothing old is served."""
    cache = open_cache(redis=own_redis.url, lease=0.3, soft_timeout=0.2)
    count = Count(cache)
    await cache.start()
    assert await count.is_cached()
    old = await count.f(1)
    own_redis.stop(kill=True)
    await count.up(wanted=False)
    assert not await count.is_kept()
    await cache.invalidate("a:1")
    own_redis.start()
    await count.up()
    assert await count.f(1) > old
    assert await count.is_cached()


async def test_redis_hangs(open_cache: OpenCache, own_redis: OwnRedis) -> None:
    """Frozen, Redis costs one soft time-out; when it wakes, what was dropped meanwhile is not served."""
    cache = open_cache(redis=own_redis.url, lease=0.3, soft_timeout=0.1)
    count = Count(cache)
    await cache.start()
    old = await count.f(1)
    own_redis.freeze()
    await count.up(wanted=False)
    assert not await count.is_kept()
    await cache.invalidate("a:1")
    own_redis.thaw()
    await count.up()
    assert await count.f(1) > old
    assert await count.is_cached()


async def test_a_commit_while_redis_is_away(
    open_cache: OpenCache, own_redis: OwnRedis, engine: sa.Engine
) -> None:
    """What is committed while Redis is away is not served old when it is back, by nobody."""
    caches = [open_cache(redis=own_redis.url, lease=0.3, soft_timeout=0.1) for _ in range(2)]
    plain = Orders(engine)
    counts = [Count(each) for each in caches]

    @caches[1].cached(ttl=60, tags=["order:{n}"])
    def total(n: int) -> int | None:
        return plain.total(n)

    caches[0].invalidate_on_commit(Order, tags=order_tags)
    for each in caches:
        await each.start()
    assert total(1) == 10

    def commit() -> None:
        with Session(engine) as session:
            session.get_one(Order, 1).total = 11
            session.commit()

    own_redis.freeze()
    await asyncio.to_thread(commit)
    assert await asyncio.to_thread(total, 1) == 11
    own_redis.thaw()
    for each in counts:
        await each.up()
    for _ in range(20):
        assert total(1) == 11
        await asyncio.sleep(0.02)


async def test_a_commit_is_refused(open_cache: OpenCache, own_redis: OwnRedis, engine: sa.Engine) -> None:
    """With "refuse" a commit that cannot be fenced is rolled back with FenceFailed; later it goes through."""
    cache = open_cache(redis=own_redis.url, on_fence_failure="refuse", lease=0.3, soft_timeout=0.1)
    cache.invalidate_on_commit(Order, tags=order_tags)
    count = Count(cache)
    await cache.start()
    own_redis.freeze()

    def commit() -> None:
        with Session(engine) as session:
            session.get_one(Order, 1).total = 11
            session.commit()

    with pytest.raises(FenceFailed, match="retry"):
        await asyncio.to_thread(commit)
    assert Orders(engine).total(1) == 10
    own_redis.thaw()
    await asyncio.wrap_future(cache._coherence.renewed())  # type: ignore[union-attr]
    await count.up()
    await asyncio.to_thread(commit)
    assert Orders(engine).total(1) == 11


async def test_a_wrong_password(
    open_cache: OpenCache, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Without the password calls go to the function, and the log says why."""
    server = OwnRedis(tmp_path / "secret", password="sesame").start()
    try:
        count = Count(open_cache(redis=f"redis://127.0.0.1:{server.port}/0"))
        with pytest.raises(RedisUnavailable, match="it wants a password"):
            await count.cache.start(seconds=1)
        assert [await count.f(1), await count.f(1)] == [1, 2]
        assert "it wants a password" in caplog.text
    finally:
        server.stop()


async def test_a_full_server_is_told_of_once(
    open_cache: OpenCache, own_redis: OwnRedis, caplog: pytest.LogCaptureFixture
) -> None:
    """A server without memory refuses what the cache writes: calls go on, and the log has one line of it."""
    own_redis.command("CONFIG", "SET", "maxmemory", 1000)
    count = Count(open_cache(redis=own_redis.url))
    with pytest.raises(RedisUnavailable):
        await count.cache.start(seconds=2)  # some ten attempts
    assert [await count.f(1), await count.f(1)] == [1, 2]
    told = [each.getMessage() for each in caplog.records if each.levelname == "ERROR"]
    assert "OOM" in told[0]
    assert len(told) == len(set(told))


async def test_a_server_that_evicts_anything(
    open_cache: OpenCache, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A server whose policy may evict tokens is not used, and the log says what to set."""
    server = OwnRedis(tmp_path / "lru", settings=["maxmemory 50mb", "maxmemory-policy allkeys-lru"]).start()
    try:
        count = Count(open_cache(redis=server.url))
        with caplog.at_level(logging.ERROR, "pitstop.cache"), pytest.raises(RedisUnavailable):
            await count.cache.start(seconds=1)
        assert not await count.is_kept()
        assert "allkeys-lru" in caplog.text
        assert "noeviction" in caplog.text
    finally:
        server.stop()


async def test_redis_7(open_cache: OpenCache, own_redis7: OwnRedis) -> None:
    """The cache works with Redis 7."""
    count = Count(open_cache(redis=own_redis7.url))
    await count.cache.start()
    assert await count.is_cached()
    await count.cache.invalidate("a:1")
    assert await count.is_cached()


async def test_a_cluster(open_cache: OpenCache, redis_cluster: OwnCluster) -> None:
    """Values, tags, keys by hand, patterns and invalidation across the slots of a Cluster."""
    one, other = (open_cache(redis=redis_cluster.url) for _ in range(2))
    await one.start(seconds=5)
    await other.start(seconds=5)
    calls = []

    def cached(cache: Cache) -> object:
        @cache.cached(ttl=60, tags=["a:{n}", "b:{n}"], key="n:{n}")
        async def f(n: int) -> int:
            calls.append(n)
            return n

        return f

    f, g = cached(one), cached(other)
    for _ in range(2):
        assert [await each(n) for each in (f, g) for n in range(20)] == [*range(20)] * 2  # type: ignore[operator]
    assert len(calls) == 20
    await one.invalidate("a:3", "b:4")
    assert [await each(n) for each in (f, g) for n in range(20)] == [*range(20)] * 2  # type: ignore[operator]
    assert calls[20:] == [3, 4]
    assert await one.set_many({str(n): n for n in range(20)}, tags=["numbers"])
    assert await other.get_many(map(str, range(20))) == {str(n): n for n in range(20)}
    await other.invalidate("numbers")
    assert await one.get_many(map(str, range(20))) == {}
    assert await one.invalidate_pattern("n:*") == 20


async def test_fork(open_cache: OpenCache, redis_url: str) -> None:
    """A child process has an empty memory and a lease of its own; the parent's go on."""
    cache = open_cache(redis=redis_url)
    calls = []

    @cache.cached(ttl=60)
    def f(n: int) -> int:
        calls.append(n)
        return os.getpid()

    await cache.start()
    parent = f(1)
    assert f(1) == parent == os.getpid()

    def fork() -> int:
        child = os.fork()
        if child == 0:
            try:
                for _ in range(300):
                    f(1)
                    if cache.stats().up and cache.stats().items:
                        os._exit(0 if f(1) == parent else 2)
                    cache._coherence.joined().result(5)  # type: ignore[union-attr]
                os._exit(3)
            finally:
                os._exit(4)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    assert await asyncio.to_thread(fork) == 0
    assert f(1) == parent
    assert await cache.set("x", 1)


async def test_bounded(open_cache: OpenCache, redis_url: str) -> None:
    """In bounded mode the writing process never reads the old value; the other soon does not."""
    one, other = (open_cache(redis=redis_url, coherence="bounded") for _ in range(2))
    await one.start()
    await other.start()
    mine, theirs = Count(one), Count(other)
    old = await mine.f(1)
    await theirs.f(1)
    await one.invalidate("a:1")
    assert await mine.f(1) == old + 1
    for _ in range(1_000):
        if await theirs.f(1) > old:
            break
        await asyncio.sleep(0.01)
    assert await theirs.f(1) > old
