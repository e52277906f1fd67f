"""Values past their time: served while they are renewed or when loading fails, never after a change."""

import asyncio
import time
from typing import Any

import pytest

from pitstop.cache import Cache
from tests.cache.conftest import OpenCache
from tests.cache.wait import eventually, until

TTL = 0.1
PAST = 0.15  # after it a value is past its time
RENEWED = "a renewal"


class Numbers:
    """A cached function that gives how often it was called, and fails or waits when it is told to."""

    def __init__(self, cache: Cache, **options: Any) -> None:
        self.calls = 0
        self.ended = 0
        self.fails = False
        self.goes_on = asyncio.Event()
        self.goes_on.set()

        @cache.cached(**{"ttl": TTL, "stale_for": 60, "tags": ["a"], **options})
        async def f() -> int:
            self.calls += 1
            number = self.calls
            await self.goes_on.wait()
            self.ended += 1
            if self.fails:
                raise ConnectionError("database is away")
            return number

        self.f = f


async def test_served_while_it_is_renewed(cache: Cache) -> None:
    """After its time a value is served at once and loaded anew behind the caller's back, once."""
    numbers = Numbers(cache)
    assert await numbers.f() == 1
    await asyncio.sleep(PAST)
    numbers.goes_on.clear()
    assert await asyncio.gather(*[numbers.f() for _ in range(10)]) == [1] * 10
    await until(lambda: numbers.calls == 2, RENEWED)
    assert await numbers.f() == 1
    assert numbers.calls == 2
    numbers.goes_on.set()
    await until(lambda: numbers.ended == 2, RENEWED)
    assert cache.stats().namespaces["default"].stale_hits >= 10
    assert await numbers.f.refresh() == 3


def test_sync_functions_are_renewed_in_a_thread(cache: Cache) -> None:
    """The same in sync code."""
    calls = 0

    @cache.cached(ttl=TTL, stale_for=60)
    def f() -> int:
        nonlocal calls
        calls += 1
        return calls

    assert f() == 1
    time.sleep(PAST)
    assert f() == 1
    eventually(lambda: f() >= 2, RENEWED)


async def test_served_when_loading_fails(cache: Cache) -> None:
    """A value past its time is better than an error."""
    numbers = Numbers(cache)
    assert await numbers.f() == 1
    await asyncio.sleep(PAST)
    numbers.fails = True
    for _ in range(3):
        assert await numbers.f() == 1
        await asyncio.sleep(0.02)


async def test_not_longer_than_it_may_be_stale(cache: Cache) -> None:
    """When that time is over as well, the error is the caller's."""
    numbers = Numbers(cache, stale_for=TTL)
    assert await numbers.f() == 1
    numbers.fails = True
    await asyncio.sleep(0.5)
    with pytest.raises(ConnectionError):
        await numbers.f()


async def test_a_renewal_is_not_begun_at_every_call(cache: Cache) -> None:
    """While a renewal is under way, one that will fail too, no second one is begun."""
    numbers = Numbers(cache)
    await numbers.f()
    await asyncio.sleep(PAST)
    numbers.goes_on.clear()
    numbers.fails = True
    for _ in range(20):
        assert await numbers.f() == 1
        await asyncio.sleep(0)
    await until(lambda: numbers.calls == 2, RENEWED)
    assert await numbers.f() == 1
    assert numbers.calls == 2
    numbers.goes_on.set()
    await until(lambda: numbers.ended == 2, "the end of a renewal")


async def test_never_after_an_invalidation(cache: Cache) -> None:
    """What was invalidated is not served stale, fresh or not."""
    numbers = Numbers(cache)
    await numbers.f()
    for drop in (lambda: cache.invalidate("a"), lambda: cache.invalidate("a"), numbers.f.invalidate):
        before = numbers.calls
        await drop()
        assert await numbers.f() > before
        await asyncio.sleep(PAST)


async def test_never_after_an_invalidation_when_loading_fails(cache: Cache) -> None:
    """Not even if the load fails: the error is the caller's."""
    numbers = Numbers(cache)
    await numbers.f()
    await asyncio.sleep(PAST)
    numbers.fails = True
    await cache.invalidate("a")
    with pytest.raises(ConnectionError):
        await numbers.f()


async def test_stale_in_redis(open_cache: OpenCache, redis_url: str) -> None:
    """A process that has nothing in memory serves what Redis has, and renews it."""
    one, other = (open_cache(redis=redis_url) for _ in range(2))
    calls = 0

    async def number() -> int:
        nonlocal calls
        calls += 1
        return calls

    first, second = (each.cached(ttl=TTL, stale_for=60)(number) for each in (one, other))
    for each in (one, other):
        await each.start()
    assert await first() == 1
    await asyncio.sleep(PAST)
    assert await second() == 1
    await until(lambda: calls == 2, RENEWED)


async def test_early(cache: Cache) -> None:
    """A value that takes long to load is loaded anew before its time is over."""
    calls = 0

    @cache.cached(ttl=60, early=1_000_000_000)  # once in a million it is not drawn
    async def f() -> int:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0.05)
        return calls

    for _ in range(40):
        await f()
        await asyncio.sleep(0.005)
    assert calls >= 2


@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_one_draw_decides(
    open_cache: OpenCache, redis_url: str, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Who has drawn to load early does so, whatever a second draw would say."""
    cache = open_cache(redis=redis_url, local_items=0)
    await cache.start()
    calls: list[int] = []

    @cache.cached(ttl=60, early=1)
    async def f() -> int:
        calls.append(1)
        return len(calls)

    @cache.cached(ttl=60, early=1)
    def g() -> int:
        calls.append(1)
        return len(calls)

    async def ask() -> int:
        return await f() if kind == "async" else await asyncio.to_thread(g)

    draws = iter([False, True, False])
    monkeypatch.setattr("pitstop.cache.ttl.refreshes_early", lambda *_, **__: next(draws))
    assert [await ask() for _ in range(4)] == [1, 1, 2, 2]


async def test_renewals_end_with_the_loop(cache: Cache) -> None:
    """A renewal under way when its loop ends is no error."""

    @cache.cached(ttl=TTL, stale_for=60)
    async def f() -> int:
        await asyncio.sleep(0.01)
        return 1

    async def main() -> None:
        await f()
        await asyncio.sleep(PAST)
        await f()

    await asyncio.to_thread(asyncio.run, main())
