"""Shadow reads: sampled hits are compared with the function."""

import asyncio
import time
import uuid

from pitstop.cache import Cache, NamespaceStats


def stats(cache: Cache) -> NamespaceStats:
    return cache.stats().namespaces["default"]


async def test_a_stale_value_is_found(redis_url: str) -> None:
    """A value that changed without an invalidation is counted, with its age; one that did not is not."""
    row = [1]
    async with Cache(redis_url, namespace=uuid.uuid4().hex, lease=0.3, shadow_rate=0.5) as cache:

        @cache.cached(ttl=60, tags=["row"])
        async def value() -> int:
            return row[0]

        for _ in range(11):
            await value()
        await asyncio.sleep(0.05)
        assert stats(cache).shadow_reads == 5
        assert stats(cache).stale_ratio == 0
        row[0] = 2
        for _ in range(10):
            await value()
        await asyncio.sleep(0.05)
        assert stats(cache).shadow_stale == 5
        assert 0 < stats(cache).stale_age < 60


async def test_a_change_that_was_told_is_not_stale(redis_url: str) -> None:
    """A value that is invalidated while it is compared does not count as stale."""
    row = [1]
    async with Cache(redis_url, namespace=uuid.uuid4().hex, lease=0.3, shadow_rate=1) as cache:

        @cache.cached(ttl=60, tags=["row"])
        async def value() -> int:
            await asyncio.sleep(0.05)
            return row[0]

        await value()
        await value()
        row[0] = 2
        await cache.invalidate("row")
        await asyncio.sleep(0.1)
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
    deadline = time.monotonic() + 5
    while not stats(cache).shadow_reads and time.monotonic() < deadline:
        time.sleep(0.01)
    assert stats(cache).shadow_stale == 1
