"""A hit in memory: what the decorator adds to a dictionary."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from benchmarks.cache.order import ORDER, load_order
from benchmarks.cache.rounds import interleave
from benchmarks.cache.stage import Scale, broken, skipped, started
from benchmarks.cache.subjects.subject import Load, Subject
from benchmarks.cache.table import Table, amount

KEY = 7
SLICE_SECONDS = 0.05
PLAIN = "await of a plain function"


def ask(scale: Scale) -> list[Table]:
    """Measure; one table."""
    return [asyncio.run(_ask(scale))]


async def _ask(scale: Scale) -> Table:
    table = Table("a hit in memory, one item of 2 KB", ("", "us CPU", "x plain await"))
    async with started(scale.servers.redis_url, "hits", table) as subjects:
        slices = {subject.name: slice_ for subject in subjects if (slice_ := await _slice(subject, table))}
        costs = await interleave(slices, rounds=scale.pick(9, 3))
    plain = costs[PLAIN].cpu_us
    for name, cost in costs.items():
        table.rows.append((name, f"{cost.cpu_us:.3f}", amount(cost.cpu_us / plain)))
    skipped(table)
    table.notes.append(f"bars: bounded <= 1 us and <= 10x {PLAIN}, strict <= 2 us under a valid lease")
    return table


async def _slice(subject: Subject, table: Table) -> Callable[[], Awaitable[int]] | None:
    try:
        cached = subject.wrap((lambda _key: ORDER) if subject.blocking else load_order)
        slice_ = _blocking if subject.blocking else _awaited
        await slice_(cached, 1)
        began = time.perf_counter()
        await slice_(cached, 200)
    except Exception as error:  # noqa: BLE001 - shown as its row
        broken(table, subject, error)
        return None
    count = int(200 * SLICE_SECONDS / (time.perf_counter() - began)) + 1
    return lambda: slice_(cached, count)


async def _blocking(cached: Load, count: int) -> int:
    for _ in range(count):
        cached(KEY)
    return count


async def _awaited(cached: Load, count: int) -> int:
    for _ in range(count):
        await cached(KEY)
    return count
