"""Windows of some microseconds, held open: what a caller may have of a load that another has begun."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from pitstop.cache.cache import Cache
from pitstop.cache.driver import AsyncDriver
from pitstop.cache.memory import Memory
from tests.cache.server import OwnRedis


class _Held:
    """Replies of Redis that come late to the flows of one cache."""

    def __init__(self, cache: Cache, monkeypatch: pytest.MonkeyPatch, *, containing: bytes) -> None:
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()
        run = AsyncDriver.run

        async def late(driver: AsyncDriver, commands: Any) -> Any:
            replies = await run(driver, commands)
            if driver is cache._driver and any(containing in part for each in commands for part in each):
                self.reached.set()
                await self.go_on.wait()
            return replies

        monkeypatch.setattr(AsyncDriver, "run", late)
        monkeypatch.setattr(AsyncDriver, "ask", lambda driver, packed: None)  # the way that others may share


@pytest.fixture
def ends() -> Iterator[list[Cache]]:
    caches: list[Cache] = []
    yield caches
    for cache in caches:
        if cache._coherence is not None:
            cache._coherence.close()


@pytest.mark.parametrize("in_redis", [True, False], ids=["hit", "load"])
async def test_who_joins_after_the_reply_of_redis_is_not_given_what_was_before_a_commit(
    own_redis: OwnRedis, monkeypatch: pytest.MonkeyPatch, in_redis: bool
) -> None:
    """A caller that comes after an acknowledged change never shares a load whose last look was before it."""
    stored = {"value": 1}
    async with Cache(own_redis.url, lease=0.3) as here, Cache(own_redis.url, lease=0.3) as there:

        @here.cached(ttl=60, tags=["thing"])
        async def thing() -> int:
            return stored["value"]

        if in_redis:
            await thing()
            here._drop_memory()
        held = _Held(here, monkeypatch, containing=b"MGET")
        if not in_redis:
            held.go_on.set()
            first_load = asyncio.Event()
            fill = here._commands.fill

            def filling(*args: Any, **kwargs: Any) -> Any:
                if not first_load.is_set():
                    held.reached.clear()
                    held.go_on.clear()
                    first_load.set()
                return fill(*args, **kwargs)

            monkeypatch.setattr(here._commands, "fill", filling)
            first = asyncio.create_task(thing())
            await first_load.wait()
        else:
            first = asyncio.create_task(thing())
        await held.reached.wait()
        stored["value"] = 2
        await asyncio.wait_for(there.invalidate("thing"), 5.0)
        second = asyncio.create_task(thing())
        await asyncio.sleep(0.05)
        held.go_on.set()
        await first
        assert await second == 2


async def test_a_dropped_key_does_not_come_back_into_memory(
    own_redis: OwnRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A value that another process replaces between the last look at the log and memory is not remembered."""
    async with Cache(own_redis.url, lease=0.3) as here, Cache(own_redis.url, lease=0.3) as there:
        await there.set("thing", 1)
        put, changed = Memory.put, threading.Event()

        def late(memory: Memory, *args: Any, **kwargs: Any) -> bool:
            if memory is here._memory and not changed.is_set():
                changed.set()
                replacing = threading.Thread(target=asyncio.run, args=(there_sets_two(own_redis.url),))
                replacing.start()
                replacing.join(10.0)
            return put(memory, *args, **kwargs)

        monkeypatch.setattr(Memory, "put", late)
        await here.get("thing")
        assert changed.is_set()
        assert await here.get("thing") == 2


async def there_sets_two(url: str) -> None:
    async with Cache(url, lease=0.3) as third:
        assert await third.set("thing", 2)
