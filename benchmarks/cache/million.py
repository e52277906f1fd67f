"""A million distinct keys through a memory of 1,000 items and 16 MiB: CPU of each call, and growth."""

import asyncio
import gc
import multiprocessing
import time
from array import array
from collections.abc import Awaitable, Callable
from typing import Any

import psutil
from redis.asyncio import Redis

from benchmarks.cache.stage import Scale
from benchmarks.cache.table import Table, amount
from pitstop.cache import Cache

KEYS = 1_000_000
ITEMS, BYTES = 1_000, 16 * 2**20
LARGEST = 40_000  # bytes of a value: then 1,000 of them are more than 16 MiB, and both bounds are at work
SMALL = 200  # with Redis, which keeps them all
WARM_UP = 5_000
BAR_MS = 1.0

Row = tuple[str, ...]
Call = Callable[[int], Awaitable[object]]
Run = Callable[[str | None, float], Awaitable[Row]]


def ask(scale: Scale) -> list[Table]:
    """Measure without and with Redis, in a process each; one table."""
    heads = (
        "",
        "keys",
        "us per key",
        "p50, us CPU",
        "p99.9, us CPU",
        "longest, ms CPU",
        "over 1 ms",
        "longest gc, ms CPU",
        "RSS before, MB",
        "RSS grown, MB",
        "items",
        "MiB",
    )
    table = Table(f"{KEYS:,} distinct keys through {ITEMS:,} items, {BYTES // 2**20} MiB: one call", heads)
    runs = [
        ("memory alone", _filled, None, 150, 4),
        ("  control: a dict, and a loop", _held, None, 40, 2),
        ("with Redis, strict", _filled, scale.servers.redis_url, 20, 4),
        ("  control: redis-py, GET, SET, GET", _asked, scale.servers.redis_url, 10, 2),
    ]
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for name, run, url, full, quick in runs:
            table.rows.append((name, *pool.apply(_child, (run, url, float(scale.pick(full, quick))))))
    table.notes += [
        "every call is a miss: key, tags, load, memory, with Redis its exchanges; a run ends with its time",
        "collections of garbage that begin in a call are told apart; bar: bounded, no call over 1 ms of CPU",
        "the controls hold no cache: what is over 1 ms there is the machine",
    ]
    return [table]


class Collections:
    """What the garbage collector takes of the CPU of this thread."""

    def __init__(self) -> None:
        self.total_ns = self.longest_ns = self._begun = 0
        gc.callbacks.append(self._told)

    def _told(self, phase: str, info: dict[str, Any]) -> None:
        now = time.thread_time_ns()
        if phase == "start":
            self._begun = now
        else:
            self.total_ns += now - self._begun
            self.longest_ns = max(self.longest_ns, now - self._begun)


def _child(run: Run, url: str | None, seconds: float) -> Row:
    return asyncio.run(run(url, seconds))


async def _filled(url: str | None, seconds: float) -> Row:
    largest = LARGEST if url is None else SMALL
    async with Cache(url, namespace="million", local_items=ITEMS, local_bytes=BYTES, soft_timeout=5) as cache:

        @cache.cached(ttl=60, tags=["item:{key}"])
        async def item(key: int) -> bytes:
            return bytes(key % largest)

        row = await _measured(item, seconds)
        stats = cache.stats()
        if url is not None:
            await cache.clear()
    return *row, f"{stats.items:,}", amount(stats.bytes / 2**20)


async def _held(url: str | None, seconds: float) -> Row:
    """The same values in a dict with the same bounds, and work for as long as the cache's."""
    held: dict[int, bytes] = {}
    size = 0

    async def hold(key: int) -> None:
        nonlocal size
        sum(range(4_000))
        held[key] = bytes(key % LARGEST)
        size += len(held[key])
        while len(held) > ITEMS or size > BYTES:
            size -= len(held.pop(next(iter(held))))

    return *await _measured(hold, seconds), f"{len(held):,}", amount(size / 2**20)


async def _asked(url: str | None, seconds: float) -> Row:
    async with Redis.from_url(str(url)) as redis:

        async def ask(key: int) -> None:
            await redis.get("control")
            await redis.set("control", b"1", ex=60)
            await redis.get("control")

        return *await _measured(ask, seconds), "", ""


async def _measured(call: Call, seconds: float) -> Row:
    for key in range(-WARM_UP, 0):  # to its working size
        await call(key)
    taken, process = array("Q", bytes(8 * KEYS)), psutil.Process()
    gc.collect()
    rss, collected, began = process.memory_info().rss, Collections(), time.perf_counter()
    keys = await _called(call, taken, collected, until=began + seconds)
    elapsed, grown = time.perf_counter() - began, process.memory_info().rss - rss
    ordered = sorted(taken[:keys])
    return (
        f"{keys:,}",
        amount(elapsed / keys * 1e6),
        *(amount(ordered[int(share * (keys - 1))] / 1e3) for share in (0.5, 0.999)),
        amount(ordered[-1] / 1e6),
        f"{sum(ns > BAR_MS * 1e6 for ns in ordered):,}",
        amount(collected.longest_ns / 1e6),
        f"{rss / 1e6:.0f}",
        f"{grown / 1e6:.1f}",
    )


async def _called(call: Call, taken: "array[int]", collected: Collections, *, until: float) -> int:
    now = time.thread_time_ns
    for key in range(KEYS):
        garbage, before = collected.total_ns, now()
        await call(key)
        taken[key] = now() - before - (collected.total_ns - garbage)
        if not key % 1000 and time.perf_counter() > until:
            return key + 1
    return KEYS
