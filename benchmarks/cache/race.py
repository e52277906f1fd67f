"""The race that leaves old data behind: read the old row, commit and invalidate, store the old row.

A reader and a writer, each with a cache of its own on one Redis and one PostgreSQL, as in two processes. Each
round has a row and a key of its own. The reader misses and reads the row; then the writer changes it, commits
and invalidates; the reader stores what it has read either after the writer is through ("forced"), or after a
delay drawn from twice the time that the writer takes ("by chance"). Then the item is asked for again.
"""

import asyncio
import contextlib
import random
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import asyncpg
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import create_async_engine

from benchmarks.cache.desk import Desk, Item, Plain, Sessions
from benchmarks.cache.stage import Scale, broken, opened, skipped, threads
from benchmarks.cache.subjects import answering
from benchmarks.cache.subjects.subject import AsyncLoad, Subject
from benchmarks.cache.table import Table, amount

CALM = 10  # rounds without a race: does the invalidation arrive at all?
SETTLE_SECONDS = 0.02  # for news on their way
PATIENCE_SECONDS = 2.0  # how long a held reader waits for the writer
CHANCE_SECONDS = 6.0  # rounds by chance end then, on a slow machine
SEED = 20261101

Hold = Callable[[], Awaitable[object]]


@dataclass(slots=True)
class Round:
    """One round in flight: what the loader waits for."""

    hold: Hold
    loaded: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class Tally:
    """What the rounds of one kind have shown."""

    rounds: int = 0
    old: list[int] = field(default_factory=list)
    stay: int = 0
    write_s: list[float] = field(default_factory=list)

    def share(self) -> tuple[str, str]:
        return f"{len(self.old) / self.rounds:.1%}", f"{self.stay / self.rounds:.1%}"


class Players:
    """A reader and a writer of one kind of cache."""

    def __init__(self, reader: Subject, writer: Subject, desk: Desk, *, version: int) -> None:
        self._desk, self._writer, self._version = desk, writer, version
        self._rounds: dict[int, Round] = {}
        self._read: AsyncLoad = opened(reader, self._load)
        opened(writer, self._load)  # some learn the names of their keys here

    async def _load(self, key: int) -> dict[str, Any]:
        version = await self._desk.read(key)
        if (current := self._rounds.pop(key, None)) is not None:
            current.loaded.set()
            await current.hold()
        return {"id": key, "version": version}

    async def _write(self, key: int, tally: Tally) -> None:
        began = time.perf_counter()
        await self._writer.write(key, lambda: self._desk.change(key, self._version))
        tally.write_s.append(time.perf_counter() - began)

    async def play(self, key: int, tally: Tally, *, hold: Hold, through: asyncio.Event) -> None:
        """One round; ``through`` is set when the writer is."""
        current = self._rounds[key] = Round(hold)
        reading = asyncio.create_task(self._read(key))  # type: ignore[arg-type]
        await current.loaded.wait()
        await self._write(key, tally)
        through.set()
        await reading
        tally.rounds += 1
        if await self._is_old(key):
            tally.old.append(key)

    async def calm(self, key: int) -> bool:
        """Whether the row is old although nobody read it while it changed."""
        await self._read(key)
        await self._write(key, Tally())
        await asyncio.sleep(SETTLE_SECONDS)
        return await self._is_old(key)

    async def settle(self, tally: Tally) -> None:
        """Ask again for what was old."""
        await asyncio.sleep(SETTLE_SECONDS)
        tally.stay = sum([await self._is_old(key) for key in tally.old])

    async def _is_old(self, key: int) -> bool:
        return (await self._read(key))["version"] != self._version


def ask(scale: Scale) -> list[Table]:
    """Measure; one table."""
    return [asyncio.run(_ask(scale))]


async def _ask(scale: Scale) -> Table:
    forced, chance = _counts(scale)
    old = (f"forced ({forced})", "stays", "rounds", "by chance", "stays")
    heads = ("", "no race", *old, "ms per write")
    table = Table("rounds after whose commit and invalidation the old row is served", heads)
    async with _desks(scale, forced + chance + CALM) as (plain, sessions):
        with threads(8):
            for version, kind in enumerate(answering("race"), 1):
                desk = sessions if kind.hooked else plain
                try:
                    async with asyncio.timeout(60):
                        table.rows.append((kind.name, *await _cells(kind, desk, scale, version)))
                except Exception as error:  # noqa: BLE001 - shown as its row
                    broken(table, kind, error)
    skipped(table)
    table.notes += [
        "stays: still old when all rounds are over, and so until the time to live ends; bar: 0 of all",
        "no race: nobody reads while the row changes; what is old there, the invalidation never reached",
        "rivals commit through asyncpg and then invalidate; pitstop takes part in a session's commit",
    ]
    return table


def _counts(scale: Scale) -> tuple[int, int]:
    return scale.pick(200, 20), scale.pick(1_800, 80)


async def _cells(kind: type[Subject], desk: Desk, scale: Scale, version: int) -> tuple[str, ...]:
    forced, chance = _counts(scale)
    url, randomly = scale.servers.redis_url, random.Random(SEED)
    async with Redis.from_url(url) as redis:
        await redis.flushdb()
    reader, writer = kind(), kind()
    for subject in (reader, writer):
        await subject.start(url, prefix="race")
    writer.watch(Item)
    players = Players(reader, writer, desk, version=version)
    held, free = Tally(), Tally()
    for key in range(forced):
        await _forced(players, key, held)
    await players.settle(held)
    window = 2 * statistics.median(held.write_s)
    until = time.perf_counter() + CHANCE_SECONDS
    for key in range(forced, forced + chance):
        await _by_chance(players, key, free, randomly.uniform(0, window))
        if time.perf_counter() > until:
            break
    await players.settle(free)
    calm = sum([await players.calm(key) for key in range(forced + chance, forced + chance + CALM)])
    for subject in (reader, writer):
        await subject.close()
    return (
        f"{calm} of {CALM}",
        *held.share(),
        f"{free.rounds:,}",
        *free.share(),
        amount(statistics.median(free.write_s) * 1e3),
    )


async def _forced(players: Players, key: int, tally: Tally) -> None:
    through = asyncio.Event()

    async def hold() -> None:
        # A cache may make the writer wait for the load: then the load goes on first.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(through.wait(), PATIENCE_SECONDS)

    await players.play(key, tally, hold=hold, through=through)


async def _by_chance(players: Players, key: int, tally: Tally, delay: float) -> None:
    async def hold() -> None:
        # asyncio.sleep() is no finer than a millisecond.
        until = time.perf_counter() + delay
        while time.perf_counter() < until:  # noqa: ASYNC110 - a point in time, not an event
            await asyncio.sleep(0)

    await players.play(key, tally, hold=hold, through=asyncio.Event())


@contextlib.asynccontextmanager
async def _desks(scale: Scale, rows: int) -> AsyncIterator[tuple[Plain, Sessions]]:
    address = scale.servers.database_url
    engine = create_async_engine(address, pool_size=3)
    async with asyncpg.create_pool(address.replace("+asyncpg", ""), min_size=3, max_size=3) as pool:
        await pool.execute("DROP TABLE IF EXISTS items")
        await pool.execute("CREATE TABLE items (id int PRIMARY KEY, version int NOT NULL)")
        await pool.execute("INSERT INTO items SELECT n, 0 FROM generate_series(0, $1::int - 1) n", rows)
        yield Plain(pool), Sessions(engine)
        await engine.dispose()
        await pool.execute("DROP TABLE items")
