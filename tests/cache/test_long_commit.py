"""A commit that takes longer than its fence: the fence is renewed while it runs."""

import asyncio
import uuid
from typing import Any

import pytest

from pitstop.cache import Cache, invalidation


async def test_the_fence_of_a_long_commit_is_renewed(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fence stands for as long as its writer lives, in Redis and in the logs of the others."""
    monkeypatch.setattr(invalidation, "FENCE_SECONDS", 0.6)
    name = uuid.uuid4().hex
    async with (
        Cache(redis_url, namespace=name, lease=0.3) as writer,
        Cache(redis_url, namespace=name, lease=0.3) as reader,
    ):
        calls: list[int] = []

        @reader.cached(ttl=60, tags=["row"])
        async def value() -> int:
            calls.append(1)
            return len(calls)

        await value()
        fence: Any = await writer._driver.drive(writer._invalidation.fence(("t:row",)))
        for _ in range(8):
            await asyncio.sleep(0.2)
            await value()
        assert len(calls) == 9, "nothing is kept while the fence stands"
        await writer._driver.drive(writer._invalidation.release(fence))
        await asyncio.sleep(0.1)
        await value()
        await value()
        assert len(calls) == 10


async def test_the_fence_of_a_dead_writer_runs_out(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that is gone costs misses until its fence has run out, and nothing after that."""
    monkeypatch.setattr(invalidation, "FENCE_SECONDS", 0.6)
    name = uuid.uuid4().hex
    async with (
        Cache(redis_url, namespace=name, lease=0.3) as writer,
        Cache(redis_url, namespace=name, lease=0.3) as reader,
    ):
        calls: list[int] = []

        @reader.cached(ttl=60, tags=["row"])
        async def value() -> int:
            calls.append(1)
            return len(calls)

        await writer._driver.drive(writer._invalidation.fence(("t:row",)))
        writer._invalidation.standing.clear()  # it will not be renewed
        assert await value() == 1
        assert await value() == 2
        await asyncio.sleep(1.2)
        assert await value() == await value() == 3
