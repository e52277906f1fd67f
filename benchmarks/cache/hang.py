"""A Redis that hangs (stopped by SIGSTOP): how long callers wait, and what they get when it wakes."""

import asyncio
import logging
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from redis.asyncio import Redis

from benchmarks.cache.stage import Scale, opened, skipped, started, threads
from benchmarks.cache.subjects.subject import AsyncLoad, Subject
from benchmarks.cache.table import Table
from pitstop.servers import private_servers

READS = 3
WARM = 1


class Source:
    """The version of a row, kept here: this question is about Redis."""

    def __init__(self) -> None:
        self.versions = {WARM: 1}

    async def load(self, key: int) -> dict[str, Any]:
        return {"id": key, "version": self.versions[key]}


def ask(scale: Scale) -> list[Table]:
    """Measure on a Redis of its own; one table."""
    with private_servers(postgresql=False) as servers:
        if "redis" not in servers.private:
            table = Table("a Redis that hangs", ("",))
            table.notes.append("left out: the Redis is yours (PITSTOP_REDIS_URL), and would be stopped")
            return [table]
        with _quiet():
            return [asyncio.run(_ask(servers.redis_url, limit=scale.pick(6, 2)))]


async def _ask(url: str, *, limit: float) -> Table:
    reads = [f"read {number}" for number in range(1, READS + 1)]
    heads = ("", *reads, "invalidation", "it ends", "read when awake", "gets")
    table = Table(f"a Redis that hangs: seconds (given up after {limit:.0f})", heads)
    with threads(32):
        async with started(url, "hang", table) as subjects, Redis.from_url(url) as redis:
            sources = [Source() for _ in subjects]
            calls = [opened(subject, source.load) for subject, source in zip(subjects, sources, strict=True)]
            for call in calls:
                await call(WARM)
            pid = (await redis.info("server"))["process_id"]
            async with _stopped(pid):
                plays = zip(subjects, sources, calls, strict=True)
                during = await asyncio.gather(*(_hang(*play, limit=limit) for play in plays))
            await asyncio.sleep(2.0)  # to find the server again
            for subject, source, call, cells in zip(subjects, sources, calls, during, strict=True):
                table.rows.append((subject.name, *cells, *await _awake(source, call, limit=limit)))
    skipped(table)
    table.notes += [
        "all at once against one stopped server; the row changed, and was invalidated, while it hung",
        "bar: a read waits at most the soft time-out, then nothing; nothing stale after it wakes",
    ]
    return table


async def _hang(subject: Subject, source: Source, call: AsyncLoad, *, limit: float) -> list[str]:
    """Read, change the row and invalidate, while Redis hangs."""
    cells = [(await _waited(call(WARM), limit))[0] for _ in range(READS)]
    source.versions[WARM] = 2
    seconds, outcome = await _waited(subject.forget(WARM), limit)
    said = outcome if isinstance(outcome, str) else "silently"
    return [*cells, seconds, said]


async def _awake(source: Source, call: AsyncLoad, *, limit: float) -> tuple[str, str]:
    seconds, answer = await _waited(call(WARM), limit)
    if isinstance(answer, str):
        return seconds, answer
    return seconds, "the new row" if answer["version"] == source.versions[WARM] else "THE OLD ROW"


async def _waited(work: Awaitable[Any], limit: float) -> tuple[str, Any]:
    """Seconds by the clock, and the result; the name of an error, or ``gave up``."""
    began, task = time.perf_counter(), asyncio.ensure_future(work)
    await asyncio.wait({task}, timeout=limit)  # a client may take seconds to heed a cancellation
    seconds = f"{time.perf_counter() - began:.2f}"
    if not task.done():
        task.cancel()
        return seconds, "gave up"
    if task.cancelled():  # by a call given up before, whose load was shared
        return seconds, "CancelledError"
    error = task.exception()
    return seconds, task.result() if error is None else type(error).__name__


@asynccontextmanager
async def _stopped(pid: int) -> AsyncIterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def _quiet() -> Iterator[None]:
    """The caches' log lines and abandoned connections would drown the table."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
