"""Loads: callers of one key share one, across tasks, threads, loops and caches."""

import asyncio
import gc
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from pitstop.cache import Cache
from pitstop.cache.entry import HEAD_BYTES, pack
from pitstop.errors import RedisUnavailable
from tests.cache.conftest import OpenCache
from tests.cache.shop import Order
from tests.cache.wait import until


class Slow:
    """A cached function whose loads wait until they may go on."""

    def __init__(self, cache: Cache) -> None:
        self.calls: list[int] = []
        self.goes_on = asyncio.Event()

        @cache.cached(ttl=60)
        async def f(n: int) -> int:
            self.calls.append(n)
            await self.goes_on.wait()
            await asyncio.sleep(0)
            return n

        self.f = f


async def test_twenty_callers_one_load(cache: Cache) -> None:
    """Callers at the same time share one load."""
    slow = Slow(cache)
    slow.goes_on.set()
    assert await asyncio.gather(*[slow.f(7) for _ in range(20)]) == [7] * 20
    assert slow.calls == [7]


async def test_a_cancelled_caller_cancels_itself_alone(cache: Cache) -> None:
    """One of twenty is cancelled: nineteen get the value; also if it was the first."""
    slow = Slow(cache)
    for n, cancelled in ((1, 0), (2, 19), (3, 7)):
        tasks = [asyncio.create_task(slow.f(n)) for _ in range(20)]
        await until(lambda n=n: n in slow.calls, "the load has begun")  # type: ignore[misc]
        tasks[cancelled].cancel()
        await asyncio.sleep(0.01)
        slow.goes_on.set()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        slow.goes_on.clear()
        assert sum(each == n for each in found) == 19
        assert isinstance(found[cancelled], asyncio.CancelledError)
    assert slow.calls == [1, 2, 3]


async def test_the_last_caller_cancels_the_load(cache: Cache) -> None:
    """When all callers are cancelled, so is the load, and the next caller loads at once."""
    begun, ended = asyncio.Event(), asyncio.Event()
    slow = True

    @cache.cached(ttl=60)
    async def f() -> int:
        begun.set()
        try:
            await asyncio.sleep(120 if slow else 0)
        except asyncio.CancelledError:
            ended.set()
            raise
        return 1

    tasks = [asyncio.create_task(f()) for _ in range(3)]
    await begun.wait()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.wait_for(ended.wait(), 30)
    slow = False
    assert await asyncio.wait_for(f(), 30) == 1


async def test_a_timeout_of_a_caller(cache: Cache) -> None:
    """wait_for around a cached call ends it, and the value is kept if another waits."""

    slow = Slow(cache)
    patient = asyncio.create_task(slow.f(1))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(slow.f(1), 0.03)
    slow.goes_on.set()
    assert await patient == 1
    assert slow.calls == [1]


async def test_an_exception_reaches_every_caller(cache: Cache) -> None:
    """A failing load fails for all who wait for it, and is tried again by the next."""
    calls = 0

    @cache.cached(ttl=60)
    async def f() -> int:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0.03)
        raise KeyError("no")

    found = await asyncio.gather(*[f() for _ in range(10)], return_exceptions=True)
    assert [type(each) for each in found] == [KeyError] * 10
    assert calls == 1
    with pytest.raises(KeyError):
        await f()
    assert calls == 2


async def test_a_loader_that_raises_an_error_of_the_cache(cache: Cache) -> None:
    """RedisUnavailable raised by the function itself is its error, not the cache's."""
    calls = 0

    @cache.cached(ttl=60)
    async def f() -> int:
        nonlocal calls
        calls += 1
        raise RedisUnavailable("another one")

    for _ in range(2):
        with pytest.raises(RedisUnavailable, match="another one"):
            await f()
    assert calls == 2
    assert cache.stats().up in (None, True)


async def test_an_error_that_is_no_exception(cache: Cache) -> None:
    """What ends programs is passed on and leaves nothing behind."""

    class Stop(BaseException):
        pass

    @cache.cached(ttl=60)
    def f(fail: list[bool]) -> int:
        if fail[0]:
            raise Stop
        return 1

    @cache.cached(ttl=60, ignore=["fail"])
    def g(fail: list[bool]) -> int:
        if fail[0]:
            raise Stop
        return 1

    with pytest.raises(Stop):
        g([True])
    assert await asyncio.wait_for(asyncio.to_thread(g, [False]), 60) == 1


def test_threads_share_a_load(cache: Cache) -> None:
    """Threads that call a sync function at the same time share one load."""
    calls = []

    @cache.cached(ttl=60)
    def f(n: int) -> int:
        calls.append(n)
        time.sleep(0.1)
        return n

    with ThreadPoolExecutor(10) as pool:
        assert list(pool.map(f, [7] * 10)) == [7] * 10
    assert len(calls) == 1


async def test_event_loops_in_threads(cache: Cache) -> None:
    """Each loop has its own tasks; all use the same memory."""

    @cache.cached(ttl=60)
    async def f(n: int) -> int:
        await asyncio.sleep(0.02)
        return n

    def run(n: int) -> list[int]:
        async def main() -> list[int]:
            return [await f(n % 3) for _ in range(5)]

        return asyncio.run(main())

    found = await asyncio.gather(*[asyncio.to_thread(run, n) for n in range(6)])
    assert found == [[n % 3] * 5 for n in range(6)]


async def test_loops_one_after_the_other(open_cache: OpenCache, redis_url: str) -> None:
    """A cache outlives an event loop."""
    cache = open_cache(redis=redis_url)
    calls = []

    @cache.cached(ttl=60)
    async def f(n: int) -> int:
        calls.append(n)
        return n

    async def main() -> None:
        await cache.start()
        await f(1)
        await cache.invalidate("x")
        await f(2)

    for _ in range(3):
        await asyncio.to_thread(asyncio.run, main())
    assert calls == [1, 2]
    gc.collect()


async def test_uvloop(open_cache: OpenCache, redis_url: str) -> None:
    """The cache runs in uvloop as in asyncio."""
    uvloop = pytest.importorskip("uvloop")
    cache = open_cache(redis=redis_url)
    calls = []

    @cache.cached(ttl=60, tags=["a:{n}"])
    async def f(n: int) -> int:
        calls.append(n)
        await asyncio.sleep(0.02)
        return n

    async def main() -> None:
        await cache.start()
        assert await asyncio.gather(*[f(1) for _ in range(20)]) == [1] * 20
        await cache.invalidate("a:1")
        assert await f(1) == 1

    await asyncio.to_thread(uvloop.run, main())
    assert calls == [1, 1]


async def test_processes_share_a_load(open_cache: OpenCache, redis_url: str) -> None:
    """Of four caches on one Redis, one loads a cold key and the others wait for it."""
    caches = [open_cache(redis=redis_url) for _ in range(4)]
    calls = []

    def cached(cache: Cache) -> object:
        @cache.cached(ttl=60)
        async def f(n: int) -> int:
            calls.append(n)
            await asyncio.sleep(0.1)
            return n

        return f

    for each in caches:
        await each.start()
    functions = [cached(each) for each in caches]
    found = await asyncio.gather(*[f(7) for f in functions for _ in range(20)])  # type: ignore[operator]
    assert found == [7] * 80
    assert calls == [7]


async def test_a_load_that_fails_wakes_the_next_process(open_cache: OpenCache, redis_url: str) -> None:
    """When a load fails, who waits for it in another process loads at once."""
    caches = [open_cache(redis=redis_url) for _ in range(2)]
    calls = []

    def cached(cache: Cache) -> object:
        @cache.cached(ttl=60)
        async def f(n: int) -> int:
            calls.append(n)
            await asyncio.sleep(0.05)
            if len(calls) == 1:
                raise KeyError("no")
            return n

        return f

    for each in caches:
        await each.start()
    functions = [cached(each) for each in caches]
    found = await asyncio.wait_for(asyncio.gather(*[f(7) for f in functions], return_exceptions=True), 30)  # type: ignore[operator]
    assert sorted(map(str, found)) == sorted(["'no'", "7"])


async def test_callers_while_a_writer_is_at_work(
    open_cache: OpenCache, redis_url: str, engine: sa.Engine
) -> None:
    """Fifty callers between fence and COMMIT share their loads as well, and nothing is kept."""
    cache = open_cache(redis=redis_url)
    await cache.start()
    calls = 0

    @cache.cached(ttl=60, tags=["a:{n}"])
    async def f(n: int) -> int:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0.05)
        return calls

    fence = await cache._driver.drive(cache._invalidation.fence(("t:a:1", "t:a")))
    await asyncio.gather(*[f(1) for _ in range(50)])
    assert calls <= 3
    before = calls
    await f(1)
    assert calls == before + 1
    await cache._driver.drive(cache._invalidation.release(fence))
    kept = await f(1)
    assert await f(1) == kept


async def test_sessions_in_use_do_not_queue(
    open_cache: OpenCache, redis_url: str, database_url: str, engine: sa.Engine
) -> None:
    """Callers whose transactions had begun share what one of them loads, as long as nothing has changed."""
    cache = open_cache(redis=redis_url)
    await cache.start()
    loads = 0

    @cache.cached(ttl=60, ignore=["session"])
    async def f(session: AsyncSession, n: int) -> int | None:
        nonlocal loads
        loads += 1
        found = await session.scalar(sa.select(Order.total).where(Order.id == n))
        await asyncio.sleep(0.1)
        return found

    async_engine = create_async_engine(database_url, pool_size=8)

    async def request() -> int | None:
        async with AsyncSession(async_engine) as session:
            await session.execute(sa.select(Order))
            return await f(session, 1)

    assert await asyncio.gather(*[request() for _ in range(8)]) == [10] * 8
    assert loads < 4
    await async_engine.dispose()


async def test_a_sync_function_below_an_async_session(
    cache: Cache, database_url: str, engine: sa.Engine
) -> None:
    """In run_sync a cached sync function waits without holding up the loop, several at a time."""
    calls = 0

    @cache.cached(ttl=60, ignore=["session"])
    def total(session: Session, n: int) -> int | None:
        nonlocal calls
        calls += 1
        session.execute(sa.text("select pg_sleep(0.05)"))
        return session.scalar(sa.select(Order.total).where(Order.id == n))

    async_engine = create_async_engine(database_url)

    async def request() -> int | None:
        async with AsyncSession(async_engine) as session:
            return await session.run_sync(lambda sync: total(sync, 1))

    assert await asyncio.wait_for(asyncio.gather(*[request() for _ in range(4)]), 10) == [10] * 4
    assert calls <= 4
    await async_engine.dispose()


async def test_a_function_that_calls_itself(cache: Cache) -> None:
    """Recursion over other arguments goes through the cache."""
    calls = 0

    @cache.cached(ttl=60)
    async def fib(n: int) -> int:
        nonlocal calls
        calls += 1
        return n if n < 2 else await fib(n - 1) + await fib(n - 2)

    @cache.cached(ttl=60)
    def sync_fib(n: int) -> int:
        nonlocal calls
        calls += 1
        return n if n < 2 else sync_fib(n - 1) + sync_fib(n - 2)

    assert await fib(20) == 6765
    assert sync_fib(20) == 6765
    assert calls == 42


async def test_no_threads_are_left(open_cache: OpenCache, redis_url: str) -> None:
    """A closed cache has no thread, and works again when it is used again."""
    cache = open_cache(redis=redis_url)

    @cache.cached(ttl=60)
    async def f() -> int:
        return 1

    for _ in range(2):
        await cache.start()
        assert [await f(), await f()] == [1, 1]
        assert [each for each in threading.enumerate() if each.name == "pitstop-cache"]
        await cache.close()
        assert not [each for each in threading.enumerate() if each.name == "pitstop-cache"]


async def test_no_lock_for_what_another_has_stored(open_cache: OpenCache, redis_url: str) -> None:
    """Who looked before another stored the value gets no lock, also where nobody else holds it."""
    cache = open_cache(redis=redis_url)
    await cache.start()
    commands, run = cache._commands, cache._driver.run
    entry = pack(b"1", tokens=[], fresh_until=1.0, stale_until=1.0)
    other = pack(b"2", tokens=[], fresh_until=2.0, stale_until=2.0)

    async def lock(stored: bytes) -> int:
        seen = stored[:HEAD_BYTES]
        (taken,) = await run([commands.take_lock("d", b"load", b"holder", seconds=60, stored=seen)])
        await run([(b"DEL", commands.lock("d"))])
        return int(taken)

    assert await lock(b"") == 1
    await run([(b"SET", commands.value("d"), entry)])
    assert [await lock(b""), await lock(other), await lock(entry)] == [2, 2, 1]
