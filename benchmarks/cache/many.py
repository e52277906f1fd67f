"""Twenty items in one call."""

import asyncio
from collections.abc import Awaitable, Callable

from benchmarks.cache.order import ORDER
from benchmarks.cache.rounds import interleave
from benchmarks.cache.stage import Scale, broken, skipped, started
from benchmarks.cache.subjects.subject import NotOffered, Subject
from benchmarks.cache.table import Table, amount

KEYS = range(20)
RIVAL = "redis-py by hand: GET, SET, DEL, json"


def ask(scale: Scale) -> list[Table]:
    """Measure; one table."""
    return [asyncio.run(_ask(scale))]


async def _ask(scale: Scale) -> Table:
    table = Table(f"get_many of {len(KEYS)} items of 2 KB", ("", "us CPU", "us", "x MGET + json"))
    async with started(scale.servers.redis_url, "many", table) as subjects:
        slices = {subject.name: slice_ for subject in subjects if (slice_ := await _slice(subject, table))}
        costs = await interleave(slices, rounds=scale.pick(9, 3))
    for name, cost in costs.items():
        ratio = cost.cpu_us / costs[RIVAL].cpu_us
        table.rows.append((name, amount(cost.cpu_us), amount(cost.wall_us), f"{ratio:.2f}"))
    skipped(table)
    table.notes.append(
        "fastapi-cache2 and async-lru have no get of many keys; dogpile.cache is called without threads"
    )
    return table


async def _slice(subject: Subject, table: Table) -> Callable[[], Awaitable[int]] | None:
    try:
        await subject.set_many(dict.fromkeys(KEYS, ORDER))
        await subject.get_many(KEYS)
    except NotOffered as lack:
        table.rows.append((subject.name, str(lack)))
        return None
    except Exception as error:  # noqa: BLE001 - shown as its row
        broken(table, subject, error)
        return None

    async def run() -> int:
        for _ in range(40):
            await subject.get_many(KEYS)
        return 40

    return run
