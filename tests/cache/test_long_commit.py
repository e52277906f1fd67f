"""A commit that takes longer than its fence: the fence is renewed while it runs."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pitstop.cache import Cache, invalidation
from tests.cache.conftest import OpenCache

FENCE = 1.0
Pair = tuple[Cache, Callable[[], Awaitable[int]]]


@pytest.fixture
async def pair(open_cache: OpenCache, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Pair:
    """A writer whose fences are short, and a function of another cache that counts its calls."""
    monkeypatch.setattr(invalidation, "FENCE_SECONDS", FENCE)
    writer, reader = (open_cache(redis=redis_url) for _ in range(2))
    await writer.start()
    await reader.start()
    calls = 0

    @reader.cached(ttl=60, tags=["row"])
    async def value() -> int:
        nonlocal calls
        calls += 1
        return calls

    return writer, value


async def kept(value: Callable[[], Awaitable[int]]) -> bool:
    return await value() == await value()


async def test_the_fence_of_a_long_commit_is_renewed(pair: Pair) -> None:
    """A fence stands for as long as its writer lives, in Redis and in the logs of the others."""
    writer, value = pair
    await value()
    fence: Any = await writer._driver.drive(writer._invalidation.fence(("t:row",)))
    for _ in range(8):
        await asyncio.sleep(FENCE / 3)
        assert not await kept(value), "kept while the fence stands"
    await writer._driver.drive(writer._invalidation.release(fence))
    await _until_kept(value)


async def test_the_fence_of_a_dead_writer_runs_out(pair: Pair) -> None:
    """A writer that is gone costs misses until its fence has run out, and nothing after that."""
    writer, value = pair
    await writer._driver.drive(writer._invalidation.fence(("t:row",)))
    writer._invalidation.standing.clear()  # it will not be renewed
    await _until_kept(value)


async def _until_kept(value: Callable[[], Awaitable[int]]) -> None:
    for _ in range(1_000):
        if await kept(value):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("nothing is kept although no fence stands")
