"""Values given by hand: ``cache.get`` and ``cache.set``, coherent like those of functions."""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from pitstop.cache.changes import ChangeLog
from pitstop.cache.clock import clock
from pitstop.cache.codec import PlainCodec
from pitstop.cache.driver import AsyncDriver
from pitstop.cache.flow import Flows
from pitstop.cache.invalidation import Invalidation
from pitstop.cache.memory import Held, Memory, size_of
from pitstop.cache.request import Recipe, Request, key_tag, namespace_tag
from pitstop.cache.stats import Stats
from pitstop.errors import RedisUnavailable, UncacheableValue

__all__ = ["PlainValues"]

NAMESPACE = "default"


class _ByHand(PlainCodec):
    """What ``cache.set`` is given: JSON's own types and bytes; nobody annotates them."""

    def _refusal(self, why: str) -> UncacheableValue:
        return UncacheableValue(f"cache.set takes bytes and what JSON can say: {why}")

    def _no_plain(self, path: str, kind: type) -> UncacheableValue:
        return self._refusal(
            f"the value{path} is a {kind.__module__}.{kind.__qualname__}; make it one of these"
        )


_CODEC = _ByHand(Any, function="cache.set")
_TAGS = (namespace_tag(NAMESPACE),)


class PlainValues:
    """Plain data by key.

    Args:
        flows, driver, invalidation, changes, memory: of the cache.
        lease: until when memory may be served.
        stats: what is counted.
        shared: whether there is a Redis.
    """

    def __init__(
        self,
        flows: Flows,
        *,
        driver: AsyncDriver,
        invalidation: Invalidation,
        changes: ChangeLog,
        memory: Memory,
        lease: Any,
        stats: Stats,
        shared: bool,
    ) -> None:
        self._flows = flows
        self._driver = driver
        self._invalidation = invalidation
        self._changes = changes
        self._memory = memory
        self._lease = lease
        self._stats = stats
        self._shared = shared

    async def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        """What is stored under keys; what memory does not have is asked for at once."""
        found: dict[str, Any] = {}
        asked: list[str] = []
        for key in dict.fromkeys(keys):
            held = self._held(key)
            if held is not None:
                found[key] = held.value
            else:
                asked.append(key)
        counts = self._stats.of(NAMESPACE)
        counts.memory_hits += len(found)
        counts.misses += len(asked)  # until Redis says otherwise
        outcomes = await self._driver.drive(self._flows.read_many([_request(key) for key in asked]))
        found.update(
            (key, outcome.value) for key, outcome in zip(asked, outcomes, strict=True) if outcome is not None
        )
        return found

    async def set_many(self, values: Mapping[str, Any], *, fresh: float, tags: tuple[str, ...]) -> bool:
        """Store values; False if they are not all stored, and then what was there is dropped."""
        if not self._shared:
            return self._set_here(values, fresh, tags)
        flows = [self._flows.prepared(_request(key, fresh), value, tags) for key, value in values.items()]
        try:
            prepared = await asyncio.gather(*map(self._driver.drive, flows))
        except RedisUnavailable:
            with suppress(RedisUnavailable):  # it is told later, and that nothing is stored is the answer
                await self._invalidation.drop(values)
            return False
        if not all(prepared):
            return False
        commands = [command for each in prepared for command in each]
        return await self._driver.drive(self._invalidation.replaced(tuple(values), commands))

    def _held(self, key: str) -> Held | None:
        held = self._memory.get(key)
        now = clock()
        if held is None or now >= held.fresh_until or now >= self._lease.memory_until:
            return None
        return held if held.still_holds(self._changes) else None

    def _set_here(self, values: Mapping[str, Any], fresh: float, tags: tuple[str, ...]) -> bool:
        for value in values.values():
            _CODEC.checked_encode(value)
        for key, value in values.items():
            self._changes.record([key_tag(key)])
            until = clock() + fresh
            held = Held(
                value,
                tags=(*_TAGS, *tags),
                checked=self._changes.changes,
                fresh_until=until,
                stale_until=until,
                load_seconds=0.0,
                size=size_of(value),
            )
            self._memory.put(key, held)
        return True


def _request(key: str, fresh: float = 0.0) -> Request:
    recipe = Recipe(name=f"cache.set({key!r})", namespace=NAMESPACE, codec=_CODEC, ttl=fresh)
    return Request(recipe=recipe, key=key, tags=_TAGS, call=_nothing)


async def _nothing() -> None:
    """A key that no function makes has nothing to call."""
