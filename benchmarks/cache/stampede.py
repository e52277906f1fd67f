"""Many callers on one cold key: how often the slow function runs, and what waiting costs Redis."""

import asyncio
import contextlib
import multiprocessing
import statistics
import time
from dataclasses import dataclass
from multiprocessing.pool import Pool
from threading import BrokenBarrierError
from typing import Any

from redis import Redis

from benchmarks.cache.order import ORDER
from benchmarks.cache.stage import Scale, opened, skipped, threads
from benchmarks.cache.subjects import answering, by_name
from benchmarks.cache.table import Table, amount

PROCESSES = 4
CALLERS = 50  # in each process
LOAD_SECONDS = 0.3
SLOW_SECONDS = 2.0  # once is enough then
LIMIT_SECONDS = 20.0
WARM, COLD = 1, 2

_barrier: Any = None


@dataclass(frozen=True, slots=True)
class Share:
    """What one process saw."""

    loads: int
    wall_s: float
    error: str = ""


def ask(scale: Scale) -> list[Table]:
    """Measure; one table."""
    heads = ("", "loads", "Redis commands per caller", "seconds")
    table = Table(f"{PROCESSES} processes x {CALLERS} callers, one cold key, {LOAD_SECONDS} s to load", heads)
    spawn = multiprocessing.get_context("spawn")
    barrier = spawn.Barrier(PROCESSES + 1)
    with (
        spawn.Pool(PROCESSES, initializer=_start, initargs=(barrier,)) as pool,
        Redis.from_url(scale.servers.redis_url) as redis,
    ):
        for subject in answering("stampede"):
            runs = [_run(subject.name, pool, barrier, redis, scale)]
            slow = max(share.wall_s for share in runs[0][0]) > SLOW_SECONDS
            more = 0 if slow or scale.quick else 2
            runs += [_run(subject.name, pool, barrier, redis, scale) for _ in range(more)]
            table.rows.append((subject.name, *_cells(runs)))
    skipped(table)
    table.notes.append(
        "limits: 1 load, 0.3 s; bar: 1 load and <= 10 commands per caller; medians of 3, or 1 run if over 2 s"
    )
    return [table]


Run = tuple[list[Share], float]


def _run(name: str, pool: Pool, barrier: Any, redis: Redis, scale: Scale) -> Run:
    """Let every process wait at the barrier with a warm connection, then call; count commands between."""
    redis.flushdb()
    results = [pool.apply_async(_child, (name, scale.servers.redis_url)) for _ in range(PROCESSES)]
    with contextlib.suppress(BrokenBarrierError):
        barrier.wait(LIMIT_SECONDS)
        before = _commands(redis)
        barrier.wait(LIMIT_SECONDS)
        barrier.wait(2 * LIMIT_SECONDS)
        after = _commands(redis)
        barrier.wait(LIMIT_SECONDS)
        return [result.get(LIMIT_SECONDS) for result in results], (after - before) / PROCESSES / CALLERS
    shares = [result.get(LIMIT_SECONDS) for result in results]
    barrier.reset()
    return shares, 0.0


def _cells(runs: list[Run]) -> tuple[str, ...]:
    errors = [share.error for shares, _ in runs for share in shares if share.error]
    if errors:
        return (f"broken: {errors[0][:100]}",)
    loads = statistics.median(sum(share.loads for share in shares) for shares, _ in runs)
    wall = statistics.median(max(share.wall_s for share in shares) for shares, _ in runs)
    commands = statistics.median(each for _, each in runs)
    return f"{loads:.0f}", amount(commands), f"{wall:.2f}"


def _commands(redis: Redis) -> int:
    """Commands that the server has carried out, those of scripts and this INFO included."""
    return sum(each["calls"] for each in redis.info("commandstats").values())


def _start(barrier: Any) -> None:
    global _barrier
    _barrier = barrier


def _child(name: str, url: str) -> Share:
    try:
        return asyncio.run(_call(name, url))
    except Exception as error:  # noqa: BLE001 - carried to the table
        _barrier.abort()
        return Share(0, 0.0, f"{type(error).__name__}: {error}")


async def _call(name: str, url: str) -> Share:
    subject, loads = by_name(name)(), 0

    async def load(key: int) -> dict[str, Any]:
        nonlocal loads
        loads += key == COLD
        await asyncio.sleep(LOAD_SECONDS if key == COLD else 0)
        return ORDER

    with threads(CALLERS):
        await subject.start(url, prefix="stampede")
        call = opened(subject, load)
        await call(WARM)
        await asyncio.gather(*(call(WARM) for _ in range(CALLERS)))
        await asyncio.to_thread(_barrier.wait, LIMIT_SECONDS)  # all are warm
        await asyncio.to_thread(_barrier.wait, LIMIT_SECONDS)  # commands are counted from here
        began = time.perf_counter()
        async with asyncio.timeout(LIMIT_SECONDS):
            await asyncio.gather(*(call(COLD) for _ in range(CALLERS)))
        wall = time.perf_counter() - began
        await asyncio.to_thread(_barrier.wait, 2 * LIMIT_SECONDS)  # to here
        await asyncio.to_thread(_barrier.wait, LIMIT_SECONDS)
        await subject.close()
    return Share(loads, wall)
