"""Warming: values loaded before anybody asks for them."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pitstop.cache.function_async import AsyncCached

__all__ = ["warm"]


async def warm(
    function: "AsyncCached[..., Any]",
    combinations: Iterable[Any],
    *,
    concurrency: int,
    progress: Callable[[int], None] | None,
) -> int:
    """Load and keep the values of many arguments; see :meth:`pitstop.cache.Cache.warm`."""
    done = 0
    pending = iter(combinations)

    async def work() -> None:
        nonlocal done
        for each in pending:
            if isinstance(each, Mapping):
                await function.refresh(**each)
            else:
                await function.refresh(*(each if isinstance(each, tuple) else (each,)))
            done += 1
            if progress is not None:
                progress(done)

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(work())
    return done
