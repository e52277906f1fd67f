"""Values given by hand: ``set``, ``get`` and ``delete`` of one process in a race."""

import asyncio
import random

from pitstop.cache.cache import Cache
from pitstop.cache.clock import clock
from pitstop.errors import RedisUnavailable
from tests.cache.race.results import Results

__all__ = ["Values"]


class Values:
    """Sets versions of its own keys, one after the other, and gets those of all.

    Args:
        cache: keeps them.
        results: counts what happens.
    """

    def __init__(self, cache: Cache, results: Results) -> None:
        self._cache = cache
        self._results = results
        self._board = results.board

    async def race(self, until: float, *, own: list[int], rows: int, callers: int) -> None:
        """Do so for a while."""
        work = [asyncio.create_task(self._get(until, rows)) for _ in range(callers)]
        work += [asyncio.create_task(self._set(until, row)) for row in own]
        await asyncio.gather(*work)

    async def _get(self, until: float, rows: int) -> None:
        while clock() < until:
            row = random.randrange(rows)
            expected, began = self._board.acknowledged(row), clock()
            got = await self._cache.get(f"value:{row}")
            if got is None:
                self._results.errors["missing"] += 1
            else:
                self._results.judge("get", row, expected, got, began)
            if random.random() < 0.1:
                await asyncio.sleep(0)

    async def _set(self, until: float, row: int) -> None:
        version = self._board.acknowledged(row)
        while clock() < until:
            version += 1
            began = clock()
            if random.random() < 0.1:
                await self._delete(row)
            stored = await self._cache.set(f"value:{row}", version, ttl=600)
            self._results.write_seconds.append(clock() - began)
            if stored:
                self._results.commits += 1
                self._board.acknowledge(row, version, now=clock())
            else:
                self._results.errors["not stored"] += 1
                await asyncio.sleep(0.01)

    async def _delete(self, row: int) -> None:
        try:
            await self._cache.delete(f"value:{row}")
        except RedisUnavailable:
            self._results.errors["not deleted"] += 1
