"""Invalidating every item of a tag, by the number of items."""

import asyncio
import statistics
import time

from redis.asyncio import Redis

from benchmarks.cache.order import load_order
from benchmarks.cache.stage import Scale, broken, opened, skipped, started, threads
from benchmarks.cache.subjects.subject import AsyncLoad, NotOffered, Subject
from benchmarks.cache.table import Table, amount

FILLERS = 50  # calls at once where items are filled by calls
BATCH = 1000


def ask(scale: Scale) -> list[Table]:
    """Measure; one table."""
    return [asyncio.run(_ask(scale))]


async def _ask(scale: Scale) -> Table:
    counts = [100, 1_000, 10_000] if scale.quick else [100, 1_000, 10_000, 100_000]
    heads = ("", *(f"{count:,} items" for count in counts), "last / first")
    table = Table("invalidating one tag: ms of the clock", heads)
    with threads(8):
        async with (
            started(scale.servers.redis_url, "tags", table) as subjects,
            Redis.from_url(scale.servers.redis_url) as redis,
        ):
            for subject in subjects:
                await _row(table, subject, redis, counts)
    skipped(table)
    table.notes.append("medians (one run from 10,000 items on); a call before must hit, one after must load")
    return table


async def _row(table: Table, subject: Subject, redis: Redis, counts: list[int]) -> None:
    try:
        await subject.ready()
        medians = [await _median(subject, redis, count) for count in counts]
    except NotOffered as lack:
        table.rows.append((subject.name, str(lack)))
    except Exception as error:  # noqa: BLE001 - shown as its row
        broken(table, subject, error)
    else:
        cells = [amount(ms) for ms in medians]
        table.rows.append((subject.name, *cells, f"{medians[-1] / medians[0]:,.1f}x"))
    await redis.flushdb()


async def _median(subject: Subject, redis: Redis, count: int) -> float:
    runs = 5 if count < 10_000 else 1
    return statistics.median([await _once(subject, redis, count) for _ in range(runs)])


async def _once(subject: Subject, redis: Redis, count: int) -> float:
    loads = 0

    async def load(key: int) -> dict[str, object]:
        nonlocal loads
        loads += 1
        return await load_order(key)

    call = opened(subject, load)
    await _fill(subject, call, redis, count)
    loads = 0
    await call(count - 1)
    hit = loads == 0
    began = time.perf_counter()
    await subject.clear()
    ms = (time.perf_counter() - began) * 1e3
    await call(count - 1)
    if not subject.name.endswith("(limit)") and not (hit and loads == 1):
        raise RuntimeError(f"hit before: {hit}, loads after: {loads}")
    return ms


async def _fill(subject: Subject, call: AsyncLoad, redis: Redis, count: int) -> None:
    """Fill by calls; where the keys are known, the first one is copied, for the peers take minutes."""
    await call(0)
    if subject.raw(0) is None:
        for start in range(1, count, FILLERS):
            await asyncio.gather(*(call(key) for key in range(start, min(count, start + FILLERS))))
        return
    first = subject.raw(0)
    assert first is not None
    value = await redis.get(first[0])
    for start in range(1, count, BATCH):
        await _copy(subject, redis, value, range(start, min(count, start + BATCH)))


async def _copy(subject: Subject, redis: Redis, value: bytes, keys: range) -> None:
    pipeline = redis.pipeline(transaction=False)
    places = [place for key in keys if (place := subject.raw(key)) is not None]
    for name, _ in places:
        pipeline.set(name, value, ex=60)
    if places and (listing := places[0][1]):
        pipeline.sadd(listing, *(name for name, _ in places))
    await pipeline.execute()
