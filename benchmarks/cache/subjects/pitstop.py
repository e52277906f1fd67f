"""Pitstop, strict and bounded, in memory and straight from Redis."""

import asyncio
from collections.abc import Mapping, Sequence

from benchmarks.cache.subjects.subject import TTL, Load, Order, Subject
from pitstop.cache import Cache


class Strict(Subject):
    name = "pitstop strict"
    answers = frozenset({"hits", "stampede", "memory", "race", "hang"})
    hooked = True
    coherence = "strict"
    local_items = 1000

    async def start(self, url: str, *, prefix: str) -> None:
        self._cache = Cache(
            redis=url, namespace=prefix, coherence=self.coherence, local_items=self.local_items
        )
        await self._cache.start()

    async def close(self) -> None:
        await self._cache.close()

    async def ready(self) -> None:
        await asyncio.sleep(1.2)  # the epoch after an emptied Redis is young for one lease
        await self._cache.start()

    def wrap(self, load: Load) -> Load:
        async def item(key: int) -> Order:
            return await load(key)

        return self._cache.cached(ttl=TTL, namespace="item", tags=["item:{key}"])(item)

    async def forget(self, key: int) -> None:
        await self._cache.invalidate(f"item:{key}")

    async def clear(self) -> None:
        await self._cache.invalidate("item")

    async def set_many(self, orders: Mapping[int, Order]) -> None:
        await self._cache.set_many({f"order:{key}": order for key, order in orders.items()}, ttl=TTL)

    async def get_many(self, keys: Sequence[int]) -> object:
        return await self._cache.get_many([f"order:{key}" for key in keys])

    def watch(self, model: type) -> None:
        self._cache.invalidate_on_commit(model, tags=lambda row: [f"item:{row.id}"])


class Bounded(Strict):
    name = "pitstop bounded"
    coherence = "bounded"


class FromRedis(Strict):
    name = "pitstop, nothing in memory"
    answers = frozenset({"redis", "tags", "many", "race"})
    local_items = 0


SUBJECTS = (Strict, Bounded, FromRedis)
