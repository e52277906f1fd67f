"""Warming: values loaded before anybody asks for them."""

import asyncio
import inspect
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from typing import Any

from pitstop.cache.function_async import AsyncCached
from pitstop.cache.function_sync import SyncCached
from pitstop.errors import SettingsError

__all__ = ["Makers", "warm"]

Makers = Mapping[str, Callable[[], Any]]
"""What makes an argument anew for each load, such as a session, by the name of the argument."""


async def warm(
    function: "AsyncCached[..., Any] | SyncCached[..., Any]",
    combinations: Iterable[Any],
    *,
    concurrency: int,
    progress: Callable[[int], None] | None,
    using: Makers | None,
    failed: Callable[[Any, Exception], None] | None,
) -> int:
    """Load and keep the values of many arguments; see :meth:`pitstop.cache.Cache.warm`."""
    if not isinstance(function, AsyncCached | SyncCached):
        raise SettingsError(f"{function!r} is no cached function: decorate it with @cache.cached(...)")
    if concurrency < 1:
        raise SettingsError(f"concurrency={concurrency} loads nothing: give 1 or more")
    done, pending = 0, iter(combinations)
    errors: list[Exception] = []

    async def work(pool: ThreadPoolExecutor) -> None:
        nonlocal done
        for each in pending:
            if errors:
                return
            try:
                await _load(function, each, using or {}, pool)
            except Exception as error:  # noqa: BLE001 - handed over, or raised when the others have ended
                if failed is None:
                    errors.append(error)
                    return
                failed(each, error)
                continue
            done += 1
            if progress is not None:
                progress(done)

    with ThreadPoolExecutor(concurrency, "pitstop-warm") as pool:
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(work(pool))
    if errors:
        raise errors[0]
    return done


async def _load(
    function: "AsyncCached[..., Any] | SyncCached[..., Any]",
    combination: Any,
    using: Makers,
    pool: ThreadPoolExecutor,
) -> None:
    args: tuple[Any, ...] = ()
    named: dict[str, Any] = {}
    if isinstance(combination, Mapping):
        named = {**combination}
    else:
        args = combination if isinstance(combination, tuple) else (combination,)
    if isinstance(function, SyncCached):
        await asyncio.get_running_loop().run_in_executor(pool, _load_here, function, args, named, using)
        return
    async with AsyncExitStack() as stack:
        for name, make in using.items():
            made = _made(make)
            named[name] = (
                await stack.enter_async_context(made)
                if hasattr(made, "__aenter__")
                else _entered(stack, made)
            )
        await function.refresh(*args, **named)


def _load_here(
    function: "SyncCached[..., Any]", args: tuple[Any, ...], named: dict[str, Any], using: Makers
) -> None:
    with ExitStack() as stack:
        for name, make in using.items():
            named[name] = _entered(stack, _made(make))
        function.refresh(*args, **named)


def _made(make: Callable[[], Any]) -> Any:
    """What a maker gives; one that is written with ``yield``, as a dependency of FastAPI, is entered too."""
    if inspect.isasyncgenfunction(make):
        return asynccontextmanager(make)()
    return contextmanager(make)() if inspect.isgeneratorfunction(make) else make()


def _entered(stack: "ExitStack | AsyncExitStack", made: Any) -> Any:
    return stack.enter_context(made) if hasattr(made, "__enter__") else made
