"""Values past their time: served while they are renewed or when loading fails, never after a change."""

import asyncio

import pytest

from pitstop.cache import Cache
from tests.cache.conftest import OpenCache


async def _until(condition: object, *, seconds: float = 3.0) -> None:
    assert callable(condition)
    for _ in range(int(seconds / 0.01)):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("did not happen")


async def test_served_while_it_is_renewed(cache: Cache) -> None:
    """After its time a value is served at once and loaded anew behind the caller's back, once."""
    calls = 0

    @cache.cached(ttl=0.1, stale_for=60)
    async def f() -> int:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0.02)
        return calls

    assert await f() == 1
    await asyncio.sleep(0.15)
    assert await asyncio.gather(*[f() for _ in range(10)]) == [1] * 10
    await _until(lambda: calls == 2)
    await asyncio.sleep(0.04)
    assert await f() == 2
    assert cache.stats().namespaces["default"].stale_hits >= 10


def test_sync_functions_are_renewed_in_a_thread(cache: Cache) -> None:
    """The same in sync code."""
    import time

    calls = 0

    @cache.cached(ttl=0.1, stale_for=60)
    def f() -> int:
        nonlocal calls
        calls += 1
        return calls

    assert f() == 1
    time.sleep(0.15)
    assert f() == 1
    for _ in range(100):
        if calls == 2:
            break
        time.sleep(0.01)
    time.sleep(0.03)
    assert f() == 2


async def test_served_when_loading_fails(cache: Cache, caplog: pytest.LogCaptureFixture) -> None:
    """A value past its time is better than an error, as long as it may be stale."""
    calls = 0

    @cache.cached(ttl=0.1, stale_for=0.5)
    async def f() -> int:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise ConnectionError("database is away")
        return 1

    assert await f() == 1
    await asyncio.sleep(0.15)
    for _ in range(3):
        assert await f() == 1
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.6)
    with pytest.raises(ConnectionError):
        await f()


async def test_a_failing_renewal_is_not_tried_at_every_call(cache: Cache) -> None:
    """While a renewal is under way no second one is begun."""
    calls = 0

    @cache.cached(ttl=0.05, stale_for=60)
    async def f() -> int:
        nonlocal calls
        calls += 1
        if calls > 1:
            await asyncio.sleep(0.2)
            raise ConnectionError("database is away")
        return 1

    await f()
    await asyncio.sleep(0.08)
    for _ in range(20):
        assert await f() == 1
        await asyncio.sleep(0.005)
    assert calls == 2


async def test_never_after_an_invalidation(cache: Cache) -> None:
    """What was invalidated is not served stale, fresh or not."""
    value = 1

    @cache.cached(ttl=0.1, stale_for=60, tags=["a"])
    async def f() -> int:
        return value

    assert await f() == 1
    value = 2
    await cache.invalidate("a")
    assert await f() == 2
    await asyncio.sleep(0.15)
    value = 3
    await cache.invalidate("a")
    assert await f() == 3
    await asyncio.sleep(0.15)
    value = 4
    await f.invalidate()
    assert await f() == 4


async def test_never_after_an_invalidation_when_loading_fails(cache: Cache) -> None:
    """Not even if the load fails: the error is the caller's."""
    fails = False

    @cache.cached(ttl=0.1, stale_for=60, tags=["a"])
    async def f() -> int:
        if fails:
            raise ConnectionError
        return 1

    await f()
    await asyncio.sleep(0.15)
    fails = True
    await cache.invalidate("a")
    with pytest.raises(ConnectionError):
        await f()


async def test_stale_in_redis(open_cache: OpenCache, redis_url: str) -> None:
    """A process that has nothing in memory serves what Redis has, and renews it."""
    caches = [open_cache(redis=redis_url) for _ in range(2)]
    calls = 0

    def cached(cache: Cache) -> object:
        @cache.cached(ttl=0.1, stale_for=60)
        async def f() -> int:
            nonlocal calls
            calls += 1
            return calls

        return f

    for each in caches:
        await each.start()
    one, other = map(cached, caches)
    assert await one() == 1  # type: ignore[operator]
    await asyncio.sleep(0.15)
    assert await other() == 1  # type: ignore[operator]
    await _until(lambda: calls == 2)
    await asyncio.sleep(0.05)
    assert await other() == 2  # type: ignore[operator]


async def test_early(cache: Cache) -> None:
    """A value that takes long to load is loaded anew before its time is over."""
    calls = 0

    @cache.cached(ttl=60, early=1_000_000)
    async def f() -> int:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0.05)
        return calls

    for _ in range(40):
        await f()
        await asyncio.sleep(0.005)
    assert calls >= 2


async def test_renewals_end_with_the_loop(cache: Cache) -> None:
    """A renewal under way when its loop ends is no error."""

    @cache.cached(ttl=0.05, stale_for=60)
    async def f() -> int:
        await asyncio.sleep(0.01)
        return 1

    async def main() -> None:
        await f()
        await asyncio.sleep(0.08)
        await f()

    await asyncio.to_thread(asyncio.run, main())
