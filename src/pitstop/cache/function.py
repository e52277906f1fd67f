"""Cached functions: what ``@cache.cached`` makes of a function or method, async or sync."""

import asyncio
import copy
import functools
import inspect
import logging
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from datetime import date
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, cast, overload
from uuid import UUID

from sqlalchemy.util import await_only, greenlet_spawn
from sqlalchemy.util.concurrency import in_greenlet

from pitstop.cache.clock import clock
from pitstop.cache.effects import Outcome
from pitstop.cache.key import KeyMaker, TagTemplate
from pitstop.cache.memory import Held
from pitstop.cache.notes import current_notes, notes_here
from pitstop.cache.parts import Parts
from pitstop.cache.redis.link import pack
from pitstop.cache.request import Recipe, Request, namespace_tag, with_families
from pitstop.cache.stats import Counts
from pitstop.errors import RedisUnavailable

__all__ = ["AsyncCached", "Cached", "SyncCached"]

log = logging.getLogger("pitstop.cache")

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
S = TypeVar("S")

# What equals only its like if the types are equal: not float (0.0 and -0.0), Decimal or datetime (two zones).
_FLAT = frozenset({int, str, bytes, bool, type(None), UUID, date})
_MISSING: Any = object()
_MOST_AT_HAND = 1_000


class Cached(Generic[P, R]):
    """A function whose values are kept. :class:`AsyncCached` and :class:`SyncCached` are the two kinds.

    Args:
        function: what makes the values.
        parts: of the cache.
        recipe: how values are kept.
        keys: makes keys and tags.
        tags: templates.
        counts: of the namespace.
        ignored: names of arguments that do not count.
        copied: whether each caller gets a copy of its own.
        shadow_every: every so many hits one is compared with the function; 0 for none.
    """

    __wrapped__: Callable[..., Any]

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        parts: Parts,
        recipe: Recipe,
        keys: KeyMaker,
        tags: tuple[TagTemplate, ...],
        counts: Counts,
        ignored: frozenset[str],
        copied: bool,
        shadow_every: int = 0,
    ) -> None:
        functools.update_wrapper(cast("Callable[..., Any]", self), function)
        self._function = function
        self._parts = parts
        self._recipe = recipe
        self._keys = keys
        self._tags = tags
        self._counts = counts
        self._ignored = ignored
        self._ignored_at = frozenset(at for at, name in enumerate(keys.parameters.names) if name in ignored)
        self._copied = copied
        self._shadow_every = shadow_every if recipe.repeatable else 0
        self._changes = parts.changes
        self._lease = parts.lease
        self._shortcuts: dict[Any, dict[Any, Held]] = {}
        # a key or tag that a function of the user's makes may be another one next time
        self._memorable = not (ignored or keys.is_custom or any(map(callable, tags)))
        self._calls: OrderedDict[Any, tuple[str, tuple[str, ...], bytes]] = OrderedDict()
        self._fixed = (namespace_tag(recipe.namespace),)

    def __repr__(self) -> str:
        return f"<cached {self._recipe.name}>"

    @property
    def unbound(self) -> "Cached[..., Any]":
        """The cached function of a method; of a function, itself."""
        return getattr(self, "_cached", self)

    def key(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """The key of the value of these arguments."""
        return self._keys.digest(args, kwargs)

    def forget_shortcuts(self) -> None:
        """Nothing in memory is to be found by this function any more."""
        self._shortcuts = {}

    def _peek(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The value in memory if it certainly holds now, else ``_MISSING``. This is the hot path."""
        if len(args) == 1 and not kwargs and not self._ignored:
            (call,) = args
            table = self._shortcuts.get(type(call))
        else:
            if self._ignored:
                args, kwargs = self._counting(args, kwargs)
            types, call = _place(args, kwargs)
            table = self._shortcuts.get(types)
        held = None if table is None else table.get(call)
        if held is None:
            return _MISSING
        changes = self._changes
        if held.checked != changes.changes and not self._still_holds(held):
            return _MISSING
        now = clock()
        if now >= held.fresh_until or now >= self._lease.memory_until:
            return _MISSING
        held.used = True
        counts = self._counts
        counts.memory_hits += 1
        if self._shadow_every and not counts.memory_hits % self._shadow_every:
            self._compare(held, args, kwargs)
        notes = notes_here()
        if notes is not None:
            notes.depend(held.tags)
        return held.value

    def _compare(self, held: Held, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Call the function behind the caller's back, and count whether it gives what memory gave."""
        raise NotImplementedError

    def _judge(self, held: Held, value: Any) -> None:
        """Only what still counts as true can be found out to be false: a change under way is not stale."""
        if clock() < held.fresh_until and self._still_holds(held):
            self._counts.compared(same=value == held.value, age=clock() - held.since)

    def _still_holds(self, held: Held) -> bool:
        number = self._changes.changes  # before the look: what comes after it is looked at next time
        if not self._changes.unchanged(held.tags, held.checked):
            return False
        held.checked = number
        return True

    def _counting(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        at, names = self._ignored_at, self._ignored
        return (
            tuple([each for index, each in enumerate(args) if index not in at]),
            {name: each for name, each in kwargs.items() if name not in names} if kwargs else kwargs,
        )

    def _request(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Request:
        key, tags, look = self._known(args, kwargs)
        call = functools.partial(self._function, *args, **kwargs)
        given = (*args, *kwargs.values()) if kwargs else args
        return Request(self._recipe, key, tags, call, look, given)

    def _known(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[str, tuple[str, ...], bytes]:
        """Key, tags and packed look of a call: those of the latest calls are at hand."""
        if not self._memorable:
            return (*self._named(args, kwargs), b"")
        if not _is_flat(args, kwargs):
            return self._found_out(args, kwargs)
        place = _place(args, kwargs)
        known = self._calls.get(place)
        if known is None:
            known = self._calls[place] = self._found_out(args, kwargs)
            if len(self._calls) > _MOST_AT_HAND:  # one for one: no call pays for a thousand
                self._calls.popitem(last=False)
        return known

    def _found_out(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[str, tuple[str, ...], bytes]:
        key, tags = self._named(args, kwargs)
        return key, tags, pack(self._parts.flows.looking(key, tags))

    def _named(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[str, tuple[str, ...]]:
        own = self._keys.tags(self._tags, args, kwargs) if self._tags else ()
        tags = self._fixed + with_families(own) if own else self._fixed
        return self._keys.digest(args, kwargs), tags

    def _remembered(self, request: Request) -> tuple[Held | None, bool]:
        """What memory holds that has not been invalidated, and whether it is still fresh."""
        held = self._parts.memory.get(request.key)
        now = clock()
        if held is None or now >= held.stale_until or now >= self._lease.memory_until:
            return None, False
        if not self._still_holds(held):
            return None, False
        return held, now < held.fresh_until

    def _remember(self, held: Held | None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Let the next call with such arguments find it without a key."""
        if held is None or held.shortcut is not None:
            return
        if self._ignored:
            args, kwargs = self._counting(args, kwargs)
        if not _is_flat(args, kwargs):
            return
        types, call = _place(args, kwargs)
        table = self._shortcuts.setdefault(types, {})
        table[call] = held
        held.shortcut = (table, call)
        if not held.fresh_until:  # dropped meanwhile
            table.pop(call, None)

    def _found(self, held: Held, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self._counts.memory_hits += 1
        self._remember(held, args, kwargs)
        return self._passed_on(held.value, held.tags)

    def _passed_on(self, value: Any, tags: tuple[str, ...]) -> Any:
        notes = current_notes()
        if notes is not None:
            notes.depend(tags)
        return value

    def _taken(
        self, outcome: Outcome, held: Held | None, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """The value of a load, or an older one if it failed."""
        if outcome.error is not None:
            if held is None or not self._still_holds(held):
                raise outcome.error
            self._counts.stale_hits += 1
            return self._passed_on(held.value, held.tags)
        self._remember(outcome.held, args, kwargs)
        return self._passed_on(outcome.value, outcome.tags)


def _is_flat(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    return _FLAT.issuperset(map(type, args)) and _FLAT.issuperset(map(type, kwargs.values()))


def _place(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
    """Where a function keeps a call: the types of its arguments, and the arguments."""
    if kwargs:
        types = (tuple(map(type, args)), tuple(map(type, kwargs.values())))
        return types, (args, tuple(kwargs.items()))
    if len(args) == 1:
        return type(args[0]), args[0]
    return tuple(map(type, args)), args


class AsyncCached(Cached[P, R]):
    """A cached async function."""

    # what asyncio.iscoroutinefunction and, from Python 3.12, inspect.iscoroutinefunction look for
    _is_coroutine = getattr(asyncio.coroutines, "_is_coroutine", None)
    _is_coroutine_mark = getattr(inspect, "_is_coroutine_mark", None)

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The value, from wherever it is had soonest."""
        value = self._peek(args, kwargs)
        if value is _MISSING:
            value = await self._get(args, kwargs)
        return copy.deepcopy(value) if self._copied else value  # type: ignore[no-any-return]

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
        request = self._request(args, kwargs)
        request.mode = "refresh"
        self._parts.start()
        outcome = await self._parts.loads.get(request)
        return self._taken(outcome, None, args, kwargs)  # type: ignore[no-any-return]

    async def bypass(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function itself: nothing is read from the cache, nothing kept."""
        return await cast("Awaitable[R]", self._function(*args, **kwargs))

    async def _get(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if not self._parts.enabled:
            return await self._function(*args, **kwargs)
        request = self._request(args, kwargs)
        held, fresh = self._remembered(request)
        if held is not None and fresh:
            return self._found(held, args, kwargs)
        if held is not None and self._recipe.repeatable:
            self._counts.stale_hits += 1
            self._renew(request, held, args, kwargs)
            return self._passed_on(held.value, held.tags)
        self._parts.start()
        self._counts.misses += 1
        loads, outcome = self._parts.loads, None
        start = self._changes.changes
        replies = loads.look(request)  # the shortest way: most calls that memory does not answer end here
        if replies is not None:
            try:
                outcome = loads.flows.hit(request, await replies, start)
            except RedisUnavailable:
                loads.flows.pause()
        if outcome is None:
            outcome = await loads.get(request)
        if outcome.stale:
            self._renew(request, None, args, kwargs)
        return self._taken(outcome, held, args, kwargs)

    def _renew(
        self, request: Request, held: Held | None, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        """Load anew behind the caller's back."""
        if held is not None and held.refreshing:
            return
        if held is not None:
            held.refreshing = True
        request.mode = "renew"
        _behind(self._renewed(request, held, args, kwargs))

    def _compare(self, held: Held, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        _behind(self._compared(held, args, kwargs))

    async def _compared(self, held: Held, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._judge(held, await self._function(*args, **kwargs))

    async def _renewed(
        self, request: Request, held: Held | None, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        try:
            outcome = await self._parts.loads.get(request)
            self._remember(outcome.held, args, kwargs)
        finally:
            if held is not None:
                held.refreshing = False


_background: set["asyncio.Task[None]"] = set()


def _behind(work: Coroutine[Any, Any, None]) -> None:
    """Do something behind the caller's back; a failure is logged, for nobody waits for it."""
    task = asyncio.create_task(work)
    _background.add(task)
    task.add_done_callback(_ended)


def _ended(task: "asyncio.Task[None]") -> None:
    _background.discard(task)
    if not task.cancelled() and task.exception() is not None:
        log.warning("a cached function failed in the background", exc_info=task.exception())


class _BoundAsync(AsyncCached[P, R]):
    """A cached async method of one object."""

    def __init__(self, cached: "AsyncCached[Any, R]", instance: Any) -> None:
        self._cached = cached
        self._instance = instance

    def __repr__(self) -> str:
        return f"{self._cached!r} of {self._instance!r}"

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return await self._cached(self._instance, *args, **kwargs)

    def key(self, *args: P.args, **kwargs: P.kwargs) -> str:
        return self._cached.key(self._instance, *args, **kwargs)

    async def invalidate(self, *args: P.args, **kwargs: P.kwargs) -> None:
        await self._cached.invalidate(self._instance, *args, **kwargs)

    async def refresh(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return await self._cached.refresh(self._instance, *args, **kwargs)

    async def bypass(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return await self._cached.bypass(self._instance, *args, **kwargs)


class SyncCached(Cached[P, R]):
    """A cached sync function."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The value, from wherever it is had soonest."""
        value = self._peek(args, kwargs)
        if value is _MISSING:
            value = self._get(args, kwargs)
        return copy.deepcopy(value) if self._copied else value  # type: ignore[no-any-return]

    @overload
    def __get__(self, instance: None, owner: Any) -> Self: ...

    @overload
    def __get__(self: "SyncCached[Concatenate[S, Q], R]", instance: S, owner: Any) -> "SyncCached[Q, R]": ...

    def __get__(self, instance: Any, owner: Any) -> Any:
        return self if instance is None else _BoundSync(self, instance)

    def invalidate(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """As of :class:`AsyncCached`."""
        self._parts.invalidation.drop_blocking([self.key(*args, **kwargs)])

    def refresh(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """As of :class:`AsyncCached`."""
        request = self._request(args, kwargs)
        request.mode = "refresh"
        self._parts.start()
        return self._taken(self._load(request), None, args, kwargs)  # type: ignore[no-any-return]

    def bypass(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """As of :class:`AsyncCached`."""
        return cast("R", self._function(*args, **kwargs))

    def _get(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if not self._parts.enabled:
            return self._function(*args, **kwargs)
        request = self._request(args, kwargs)
        held, fresh = self._remembered(request)
        if held is not None and fresh:
            return self._found(held, args, kwargs)
        if held is not None and self._recipe.repeatable:
            self._counts.stale_hits += 1
            self._renew(request, held, args, kwargs)
            return self._passed_on(held.value, held.tags)
        self._parts.start()
        self._counts.misses += 1
        outcome = self._load(request)
        if outcome.stale:
            self._renew(request, None, args, kwargs)
        return self._taken(outcome, held, args, kwargs)

    def _load(self, request: Request) -> Outcome:
        if not in_greenlet():
            return self._parts.blocking.get(request)
        # below run_sync of an async session: nobody may hold up the event loop
        request.call = functools.partial(greenlet_spawn, request.call)
        return await_only(self._parts.loads.get(request))

    def _renew(
        self, request: Request, held: Held | None, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        if held is not None and held.refreshing:
            return
        if held is not None:
            held.refreshing = True
        request.mode = "renew"
        threading.Thread(target=self._renewed, args=(request, held, args, kwargs), daemon=True).start()

    def _compare(self, held: Held, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        threading.Thread(target=self._compared, args=(held, args, kwargs), daemon=True).start()

    def _compared(self, held: Held, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        try:
            self._judge(held, self._function(*args, **kwargs))
        except Exception:
            log.warning("a cached function failed in the background", exc_info=True)

    def _renewed(
        self, request: Request, held: Held | None, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        try:
            self._remember(self._parts.blocking.get(request).held, args, kwargs)
        finally:
            if held is not None:
                held.refreshing = False


class _BoundSync(SyncCached[P, R]):
    """A cached sync method of one object."""

    def __init__(self, cached: "SyncCached[Any, R]", instance: Any) -> None:
        self._cached = cached
        self._instance = instance

    def __repr__(self) -> str:
        return f"{self._cached!r} of {self._instance!r}"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self._cached(self._instance, *args, **kwargs)

    def key(self, *args: P.args, **kwargs: P.kwargs) -> str:
        return self._cached.key(self._instance, *args, **kwargs)

    def invalidate(self, *args: P.args, **kwargs: P.kwargs) -> None:
        self._cached.invalidate(self._instance, *args, **kwargs)

    def refresh(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self._cached.refresh(self._instance, *args, **kwargs)

    def bypass(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self._cached.bypass(self._instance, *args, **kwargs)
