"""aiocache: in memory, in Redis, and its decorator against stampedes."""

from collections.abc import Mapping, Sequence
from typing import Any

from aiocache import Cache, cached, cached_stampede
from redis.connection import parse_url

from benchmarks.cache.subjects.subject import TTL, Load, Order, Subject


class Redis(Subject):
    name = "aiocache"
    answers = frozenset({"redis", "stampede", "many", "race", "hang"})
    decorator: Any = cached
    extra: Mapping[str, object] = {}

    async def start(self, url: str, *, prefix: str) -> None:
        address = parse_url(url)
        where = {"endpoint": address["host"], "port": address["port"], "password": address.get("password")}
        self._options = {"cache": Cache.REDIS, "namespace": prefix, **where}
        self._cache = Cache(Cache.REDIS, namespace=prefix, **where)

    async def close(self) -> None:
        await self._cache.close()

    def wrap(self, load: Load) -> Load:
        keys = {"ttl": TTL, "key_builder": lambda _function, key: f"item:{key}"}
        function = self.decorator(**keys, **self.extra, **self._options)(load)
        self._cache = function.cache
        return function

    async def forget(self, key: int) -> None:
        await self._cache.delete(f"item:{key}")

    async def set_many(self, orders: Mapping[int, Order]) -> None:
        await self._cache.multi_set([(f"order:{key}", order) for key, order in orders.items()], ttl=TTL)

    async def get_many(self, keys: Sequence[int]) -> object:
        return await self._cache.multi_get([f"order:{key}" for key in keys])


class Memory(Redis):
    name = "aiocache mem"
    answers = frozenset({"hits", "memory"})

    async def start(self, url: str, *, prefix: str) -> None:
        self._options = {"cache": Cache.MEMORY, "namespace": prefix}


class Namespace(Redis):
    name = "aiocache, clear(namespace)"
    answers = frozenset({"tags"})

    async def clear(self) -> None:
        await self._cache.clear(namespace=self._options["namespace"])

    def raw(self, key: int) -> tuple[str, str | None]:
        return self._cache.build_key(f"item:{key}", namespace=self._options["namespace"]), None


class Stampede(Redis):
    name = "aiocache, cached_stampede"
    answers = frozenset({"stampede", "race"})
    decorator = cached_stampede
    extra: Mapping[str, object] = {"lease": 2}


SUBJECTS = (Memory, Redis, Namespace, Stampede)
