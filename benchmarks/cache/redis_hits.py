"""A hit in Redis: one caller after another, and 50 at once."""

import asyncio
from collections.abc import Awaitable, Callable

from benchmarks.cache.order import ORDER_BYTES, load_order
from benchmarks.cache.rounds import Cost, interleave
from benchmarks.cache.stage import Scale, broken, opened, skipped, started, threads
from benchmarks.cache.subjects.subject import AsyncLoad, Subject
from benchmarks.cache.table import Table, amount

KEY = 7
CALLERS = 50
RIVAL = "redis-py GET, nothing decoded"


def ask(scale: Scale) -> list[Table]:
    """Measure; one table."""
    return [asyncio.run(_ask(scale))]


async def _ask(scale: Scale) -> Table:
    heads = ("", "us CPU", "us", "x GET", f"us CPU, {CALLERS} at once", "us", "x GET")
    table = Table(f"a hit in Redis, one item of {ORDER_BYTES / 1000:.1f} KB", heads)
    with threads(CALLERS):
        async with started(scale.servers.redis_url, "redis", table) as subjects:
            cached = {subject.name: call for subject in subjects if (call := await _filled(subject, table))}
            rounds = scale.pick(9, 3)
            alone = await interleave({n: _alone(call) for n, call in cached.items()}, rounds=rounds)
            together = await interleave({n: _together(call) for n, call in cached.items()}, rounds=rounds)
    table.rows[:0] = [(name, *_cells(alone, name), *_cells(together, name)) for name in cached]
    skipped(table)
    table.notes += [
        f"x GET: CPU beside {RIVAL}; bar: <= 0.5 with tags validated and the value decoded",
        "dogpile.cache blocks: here each call is sent to a thread, as FastAPI does; us: clock per operation",
    ]
    return table


def _cells(costs: dict[str, Cost], name: str) -> tuple[str, str, str]:
    cost = costs[name]
    return amount(cost.cpu_us), amount(cost.wall_us), f"{cost.cpu_us / costs[RIVAL].cpu_us:.2f}"


async def _filled(subject: Subject, table: Table) -> AsyncLoad | None:
    try:
        call = opened(subject, load_order)
        await asyncio.gather(*(call(key) for key in range(CALLERS)))  # opens the connections
    except Exception as error:  # noqa: BLE001 - shown as its row
        broken(table, subject, error)
        return None
    return call


def _alone(call: AsyncLoad) -> Callable[[], Awaitable[int]]:
    async def run() -> int:
        for _ in range(150):
            await call(KEY)
        return 150

    return run


def _together(call: AsyncLoad) -> Callable[[], Awaitable[int]]:
    async def caller(key: int) -> None:
        for _ in range(8):
            await call(key)  # a key for each caller: nobody can share an answer

    async def run() -> int:
        await asyncio.gather(*(caller(key) for key in range(CALLERS)))
        return CALLERS * 8

    return run
