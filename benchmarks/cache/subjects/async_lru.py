"""async-lru: in memory, with a time to live."""

from async_lru import alru_cache

from benchmarks.cache.subjects.subject import TTL, Load, Subject


class AsyncLru(Subject):
    name = "async-lru"
    answers = frozenset({"hits", "memory"})

    def wrap(self, load: Load) -> Load:
        self._cached = alru_cache(maxsize=1000, ttl=TTL)(load)
        return self._cached

    async def close(self) -> None:
        await self._cached.cache_close()


SUBJECTS = (AsyncLru,)
