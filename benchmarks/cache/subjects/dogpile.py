"""dogpile.cache: blocking; in memory, in Redis with a mutex of the process or one in Redis."""

import asyncio
from collections.abc import Mapping, Sequence

from dogpile.cache import make_region

from benchmarks.cache.subjects.subject import TTL, Load, NotOffered, Order, Subject


class Redis(Subject):
    name = "dogpile.cache"
    answers = frozenset({"redis", "tags", "stampede", "many", "race", "hang"})
    blocking = True
    backend = "dogpile.cache.redis"
    distributed = False

    async def start(self, url: str, *, prefix: str) -> None:
        lock = {"distributed_lock": self.distributed, "thread_local_lock": False}
        redis = {"url": url, "redis_expiration_time": 2 * TTL, **lock}
        arguments = redis if self.backend == "dogpile.cache.redis" else {}
        region = make_region(key_mangler=lambda key: f"{prefix}:{key}")
        self._region = region.configure(self.backend, expiration_time=TTL, arguments=arguments)

    def wrap(self, load: Load) -> Load:
        self._function = self._region.cache_on_arguments()(load)
        return self._function

    async def forget(self, key: int) -> None:
        await asyncio.to_thread(self._function.invalidate, key)  # it blocks

    async def clear(self) -> None:
        raise NotOffered("no tags; region.invalidate() reaches its own process only")

    async def set_many(self, orders: Mapping[int, Order]) -> None:
        self._region.set_multi({f"order:{key}": order for key, order in orders.items()})

    async def get_many(self, keys: Sequence[int]) -> object:
        return self._region.get_multi([f"order:{key}" for key in keys])


class Memory(Redis):
    name = "dogpile.cache memory"
    answers = frozenset({"hits", "memory"})
    backend = "dogpile.cache.memory"


class Distributed(Redis):
    name = "dogpile.cache, distributed_lock"
    answers = frozenset({"stampede", "race"})
    distributed = True


SUBJECTS = (Memory, Redis, Distributed)
