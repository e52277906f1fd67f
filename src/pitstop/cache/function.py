"""Cached functions: what those of both kinds, async and sync, have in common."""

import functools
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable
from datetime import date
from typing import Any, Generic, ParamSpec, TypeVar, cast
from uuid import UUID

from pitstop.cache.clock import clock
from pitstop.cache.effects import Outcome
from pitstop.cache.key import KeyMaker, TagTemplate
from pitstop.cache.memory import Held
from pitstop.cache.notes import notes_here
from pitstop.cache.parts import Parts
from pitstop.cache.redis.link import pack
from pitstop.cache.request import Recipe, Request, namespace_tag, with_families
from pitstop.cache.stats import Counts

__all__ = ["MISSING", "Bound", "Cached"]

P = ParamSpec("P")
R = TypeVar("R")

# What equals only its like if the types are equal: not float (0.0 and -0.0), Decimal or datetime (two zones).
_FLAT = frozenset({int, str, bytes, bool, type(None), UUID, date})
MISSING: Any = object()
_MOST_AT_HAND = 1_000


class Cached(ABC, Generic[P, R]):
    """A function whose values are kept. ``AsyncCached`` and ``SyncCached`` are the two kinds.

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
        # a positional-only parameter's name may be one of **kwargs, too
        self._ignored_names = ignored.intersection(keys.parameters.by_name)
        self._copied = copied
        self._shadow_every = shadow_every if recipe.repeatable else 0
        self._changes = parts.changes
        self._lease = parts.lease
        self._shortcuts: dict[Any, dict[Any, Held]] = {}
        # a key or tag that a function of the user's makes may be another one next time
        self._memorable = not (ignored or keys.is_custom or any(map(callable, tags)))
        self._kinds: set[Any] = set()
        self._requests: OrderedDict[Any, Request] = OrderedDict()
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
        """The value in memory if it certainly holds now, else ``MISSING``. This is the hot path."""
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
            return MISSING
        changes = self._changes
        if held.checked != changes.changes and not held.still_holds(changes):
            return MISSING
        now = clock()
        if now >= held.fresh_until or now >= self._lease.memory_until:
            return MISSING
        held.used = True
        counts = self._counts
        counts.memory_hits += 1
        if self._shadow_every and not counts.memory_hits % self._shadow_every:
            self._compare(held, args, kwargs)
        notes = notes_here()
        if notes is not None:
            notes.depend(held.tags)
        return held.value

    @abstractmethod
    def _compare(self, held: Held, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Call the function behind the caller's back, and count whether it gives what memory gave."""

    def _judge(self, held: Held, value: Any) -> None:
        """Only what still counts as true can be found out to be false: a change under way is not stale."""
        if clock() < held.fresh_until and held.still_holds(self._changes):
            self._counts.compared(same=value == held.value, age=clock() - held.since)

    def _counting(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        at, names = self._ignored_at, self._ignored_names
        return (
            tuple([each for index, each in enumerate(args) if index not in at]),
            {name: each for name, each in kwargs.items() if name not in names} if kwargs else kwargs,
        )

    def _request(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Request:
        """What a call asks for: those of the latest calls are at hand."""
        if not self._memorable:
            return self._made(args, kwargs)
        place = _place(args, kwargs)
        if place[0] not in self._kinds:  # what is not flat may not even have a hash
            if not _is_flat(args, kwargs):
                return self._made(args, kwargs)
            self._kinds.add(place[0])
        request = self._requests.get(place)
        if request is None:
            request = self._made(args, kwargs)
            request = request.ready(pack(self._parts.flows.looking(request.key, request.tags)))
            self._requests[place] = request
            if len(self._requests) > _MOST_AT_HAND:  # one for one: no call pays for a thousand
                self._requests.popitem(last=False)
        return request

    def _made(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Request:
        key, tags = self._named(args, kwargs)
        call = functools.partial(self._function, *args, **kwargs)
        return Request(self._recipe, key, tags, call, given=(*args, *kwargs.values()))

    def _named(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[str, tuple[str, ...]]:
        own = self._keys.tags(self._tags, args, kwargs) if self._tags else ()
        tags = self._fixed + with_families(own) if own else self._fixed
        return self._keys.digest(args, kwargs), tags

    def _recalled(
        self, request: Request, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Any, Held | None]:
        """What memory gives by the key: a value, an old one while it is loaded anew, or MISSING.

        With MISSING may come what memory holds all the same, for the case that loading fails.
        """
        memory = self._parts.memory
        held = memory.get(request.key) if memory.max_items else None
        if held is not None:
            now = clock()
            until = min(held.stale_until, self._lease.memory_until)
            if now >= until or not held.still_holds(self._changes):
                held = None
            elif now < held.fresh_until:
                self._counts.memory_hits += 1
                self._remember(held, args, kwargs)
                return self._passed_on(held.value, held.tags), held
            elif self._recipe.repeatable:
                self._counts.stale_hits += 1
                self._renew(request, held, args, kwargs)
                return self._passed_on(held.value, held.tags), held
        self._counts.misses += 1
        return MISSING, held

    def _to_refresh(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Request:
        self._parts.start()
        return self._request(args, kwargs).to("refresh")

    def _renew(
        self, request: Request, held: Held | None, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        """Load anew behind the caller's back, unless that is being done."""
        if held is not None:
            if held.refreshing:
                return
            held.refreshing = True
        self._renew_behind(request.to("renew"), held, args, kwargs)

    @abstractmethod
    def _renew_behind(
        self, request: Request, held: Held | None, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        """Have the value loaded without waiting for it."""

    def _renewed(
        self,
        outcome: Outcome | None,
        held: Held | None,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        """Such a load has ended; None if it was given up."""
        if held is not None:
            held.refreshing = False
        if outcome is not None and outcome.held is not None:
            self._remember(outcome.held, args, kwargs)

    def _remember(self, held: Held, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Let the next call with such arguments find it without a key."""
        if held.shortcut is not None:
            return
        if self._ignored:
            args, kwargs = self._counting(args, kwargs)
        if not _is_flat(args, kwargs):
            return
        types, call = _place(args, kwargs)
        held.found_by(self._shortcuts.setdefault(types, {}), call)

    def _passed_on(self, value: Any, tags: tuple[str, ...]) -> Any:
        notes = notes_here()
        if notes is not None:
            notes.depend(tags)
        return value

    def _taken(
        self,
        request: Request,
        outcome: Outcome,
        held: Held | None,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """The value of a load, or an older one if it failed."""
        if outcome.error is not None:
            if held is None or not held.still_holds(self._changes):
                raise outcome.error
            self._counts.stale_hits += 1
            return self._passed_on(held.value, held.tags)
        if outcome.stale:
            self._renew(request, None, args, kwargs)
        return self._found(outcome, args, kwargs)

    def _found(self, outcome: Outcome, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if outcome.held is not None:
            self._remember(outcome.held, args, kwargs)
        notes = notes_here()
        if notes is not None:
            notes.depend(outcome.tags)
        return outcome.value


class Bound(Cached[P, R]):
    """A cached method of one object: hands calls on, the object before their arguments."""

    def __init__(self, cached: Any, instance: Any) -> None:
        self._cached = cached
        self._instance = instance

    def __repr__(self) -> str:
        return f"{self._cached!r} of {self._instance!r}"

    def key(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """As of the function."""
        found: str = self._cached.key(self._instance, *args, **kwargs)
        return found

    def invalidate(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """As of the function."""
        return self._cached.invalidate(self._instance, *args, **kwargs)

    def refresh(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """As of the function."""
        return self._cached.refresh(self._instance, *args, **kwargs)

    def bypass(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """As of the function."""
        return self._cached.bypass(self._instance, *args, **kwargs)


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
