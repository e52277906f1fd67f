"""Cached async functions."""

import asyncio
import copy
import inspect
from collections.abc import Awaitable
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, cast, overload

from pitstop.cache.background import behind
from pitstop.cache.function import MISSING, Bound, Cached
from pitstop.cache.memory import Held
from pitstop.cache.request import Request
from pitstop.errors import RedisUnavailable

__all__ = ["AsyncCached"]

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
S = TypeVar("S")


class AsyncCached(Cached[P, R]):
    """A cached async function."""

    # what asyncio.iscoroutinefunction and, from Python 3.12, inspect.iscoroutinefunction look for
    _is_coroutine = getattr(asyncio.coroutines, "_is_coroutine", None)
    _is_coroutine_mark = getattr(inspect, "_is_coroutine_mark", None)

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The value, from wherever it is had soonest."""
        value = self._peek(args, kwargs) if self._shortcuts else MISSING
        if value is MISSING:  # in this very function: another coroutine would cost as much as the rest of it
            parts = self._parts
            if not parts.enabled:
                return cast("R", self._own(await self._function(*args, **kwargs)))
            request = self._request(args, kwargs)
            value, held = self._recalled(request, args, kwargs)
            if value is MISSING:
                found, start = None, self._changes.changes
                look = parts.loads.look(request)  # the shortest way: most such calls end here
                if look is not None:
                    try:
                        replies = await look
                        found = parts.flows.hit(request, replies, start)
                        if found is None or found.missing:
                            request = request.after(replies, start, mode="read" if found is None else "early")
                    except RedisUnavailable:
                        parts.flows.pause()
                if found is None or found.missing:
                    value = await self._loaded(request, held, args, kwargs)
                else:
                    value = self._found(found, args, kwargs)
        return self._own(value) if self._copied else value  # type: ignore[no-any-return]

    @overload
    def __get__(self, instance: None, owner: Any) -> Self: ...

    @overload
    def __get__(
        self: "AsyncCached[Concatenate[S, Q], R]", instance: S, owner: Any
    ) -> "AsyncCached[Q, R]": ...

    def __get__(self, instance: Any, owner: Any) -> Any:
        return self if instance is None else _BoundAsync(self, instance)

    async def invalidate(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Drop the value of these arguments, in every process.

        When it returns, no process serves it any more. Raises RedisUnavailable if Redis cannot be told.
        """
        await self._parts.invalidation.drop([self.key(*args, **kwargs)])

    async def refresh(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function, keep its value and return it."""
        request = self._to_refresh(args, kwargs)
        outcome = await self._parts.loads.get(request)
        return self._taken(request, outcome, None, args, kwargs)  # type: ignore[no-any-return]

    async def bypass(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function itself: nothing is read from the cache, nothing kept."""
        return await cast("Awaitable[R]", self._function(*args, **kwargs))

    def _own(self, value: Any) -> Any:
        return copy.deepcopy(value) if self._copied else value

    async def _loaded(
        self, request: Request, held: Held | None, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        self._parts.start()
        outcome = await self._parts.loads.get(request)
        return self._taken(request, outcome, held, args, kwargs)

    def _renew_behind(
        self, request: Request, held: Held | None, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        async def renew() -> None:
            outcome = None
            try:
                outcome = await self._parts.loads.get(request)
            finally:
                self._renewed(outcome, held, args, kwargs)

        behind(renew())

    def _compare(self, held: Held, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        async def compare() -> None:
            self._judge(held, await self._function(*args, **kwargs))

        behind(compare())


class _BoundAsync(Bound[P, R], AsyncCached[P, R]):
    """A cached async method of one object."""

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return cast("R", await self._cached(self._instance, *args, **kwargs))
