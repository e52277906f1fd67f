"""fastapi-cache2: its decorator on a plain function, in memory and in Redis."""

from typing import Any

from fastapi_cache import FastAPICache
from fastapi_cache.backends.inmemory import InMemoryBackend
from fastapi_cache.backends.redis import RedisBackend
from fastapi_cache.decorator import cache
from redis.asyncio import Redis as Client

from benchmarks.cache.subjects.subject import TTL, Load, Subject


def build_key(_function: object, namespace: str = "", *, args: Any, **_others: object) -> str:
    """A key that can be named again to delete it: the default one is a digest of the call."""
    return f"{namespace}:{args[0]}"


class Redis(Subject):
    name = "fastapi-cache2"
    answers = frozenset({"redis", "tags", "stampede", "race", "hang"})

    async def start(self, url: str, *, prefix: str) -> None:
        FastAPICache.reset()  # it is one for the whole process
        self._client, self._prefix = Client.from_url(url), prefix
        FastAPICache.init(RedisBackend(self._client), prefix=prefix, key_builder=build_key)

    async def close(self) -> None:
        await self._client.aclose()

    def wrap(self, load: Load) -> Load:
        return cache(expire=TTL, namespace="item")(load)

    async def forget(self, key: int) -> None:
        # FastAPICache.clear(key=) clears the whole prefix: its namespace is never empty.
        await FastAPICache.get_backend().clear(key=f"{self._prefix}:item:{key}")

    async def clear(self) -> None:
        await FastAPICache.clear(namespace="item")

    def raw(self, key: int) -> tuple[str, str | None]:
        return f"{self._prefix}:item:{key}", None


class Memory(Redis):
    name = "fastapi-cache2 mem"
    answers = frozenset({"hits", "memory"})

    async def start(self, url: str, *, prefix: str) -> None:
        await super().start(url, prefix=prefix)
        FastAPICache.reset()
        FastAPICache.init(InMemoryBackend(), prefix=prefix, key_builder=build_key)


SUBJECTS = (Memory, Redis)
