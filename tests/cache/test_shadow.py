"""Shadow reads: sampled hits are compared with the function."""

import asyncio

from pitstop.cache import Cache, NamespaceStats
from tests.cache.conftest import OpenCache
from tests.cache.wait import eventually, until


def stats(cache: Cache) -> NamespaceStats:
    return cache.stats().namespaces["default"]


async def test_a_stale_value_is_found(open_cache: OpenCache, redis_url: str) -> None:
    """A value that changed without an invalidation is counted, with its age; one that did not is not."""
    row = [1]
    async with open_cache(redis=redis_url, shadow_rate=0.5) as cache:

        @cache.cached(ttl=60, tags=["row"])
        async def value() -> int:
            return row[0]

        async def compared(times: int) -> None:
            """Call until so many hits were compared."""
            for number in range(1, times + 1):
                while stats(cache).shadow_reads < number:
                    await value()
                    await asyncio.sleep(0.001)

        await compared(5)
        assert stats(cache).stale_ratio == 0
        row[0] = 2
        await compared(10)
        assert stats(cache).shadow_stale >= 1
        assert 0 < stats(cache).stale_age < 180


async def test_a_change_that_was_told_is_not_stale(open_cache: OpenCache, redis_url: str) -> None:
    """A value that is invalidated while it is compared does not count as stale."""
    row, begun, ended = [1], [0], [0]
    goes_on = asyncio.Event()
    async with open_cache(redis=redis_url, shadow_rate=1) as cache:

        @cache.cached(ttl=60, tags=["row"])
        async def value() -> int:
            begun[0] += 1
            if begun[0] > 1:
                await goes_on.wait()
            ended[0] += 1
            return row[0]

        await value()
        assert await value() == 1
        await until(lambda: begun[0] == 2, "a shadow read")
        row[0] = 2
        await cache.invalidate("row")
        goes_on.set()
        await until(lambda: ended[0] == 2, "the end of a shadow read")
        await asyncio.sleep(0)
        assert stats(cache).shadow_reads == 0


def test_sync_functions_are_compared() -> None:
    """A sync function is compared in a thread of its own."""
    row = [1]
    cache = Cache(shadow_rate=1)

    @cache.cached(ttl=60)
    def value() -> int:
        return row[0]

    value()
    row[0] = 2
    value()
    eventually(lambda: stats(cache).shadow_reads, "a shadow read")
    assert stats(cache).shadow_stale == 1
