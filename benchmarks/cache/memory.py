"""A million distinct keys through a cache in memory: how it grows, and how long it holds the loop."""

import asyncio
import gc
import multiprocessing
import time
from dataclasses import dataclass
from typing import Any

import psutil

from benchmarks.cache.stage import Scale, skipped
from benchmarks.cache.subjects import answering, by_name
from benchmarks.cache.subjects.subject import Load, Subject
from benchmarks.cache.table import Table, amount

KEYS = 1_000_000
TURN = 50  # calls between two turns of the event loop, in which sweeps may run


@dataclass(slots=True)
class Course:
    """What a run has seen.

    Attributes:
        keys: how many distinct keys went through.
        grown_mb: by how much the process grew.
        longest_ms: CPU of the longest single call.
        over_ms: how many calls took more than 1 ms of CPU.
        longest_turn_ms: CPU of the longest turn of the loop, calls apart: timers and sweeps.
        seconds: clock of the whole.
    """

    keys: int = 0
    grown_mb: float = 0.0
    longest_ms: float = 0.0
    over_ms: int = 0
    longest_turn_ms: float = 0.0
    seconds: float = 0.0
    error: str = ""

    def called(self, ms: float) -> None:
        """Count one call, which took so much CPU."""
        self.keys += 1
        self.over_ms += ms > 1
        self.longest_ms = max(self.longest_ms, ms)


def ask(scale: Scale) -> list[Table]:
    """Measure, two caches at a time, each in a process of its own; one table."""
    heads = (
        "",
        "keys",
        "us per key",
        "RSS grown, MB",
        "longest call, ms CPU",
        "calls > 1 ms",
        "longest turn, ms CPU",
    )
    table = Table(f"{KEYS:,} distinct keys through 1,000 items in memory", heads)
    names = [subject.name for subject in answering("memory")]
    seconds = float(scale.pick(8, 1))
    with multiprocessing.get_context("spawn").Pool(2, maxtasksperchild=1) as pool:
        tasks = [(name, scale.servers.redis_url, seconds) for name in names]
        for name, course in zip(names, pool.starmap(_child, tasks, chunksize=1), strict=True):
            table.rows.append((name, *_cells(course)))
    skipped(table)
    table.notes += [
        f"each stops after {seconds:.0f} s where it is not through; the value is one shared object",
        "turn: what else runs in the event loop between calls (timers, sweeps); no garbage collection",
        "aiocache, fastapi-cache2 and dogpile.cache have no bound in memory; bar: bounded, no call over 1 ms",
    ]
    return [table]


def _cells(course: Course) -> tuple[str, ...]:
    if course.error:
        return (f"broken: {course.error[:100]}",)
    times = amount(course.longest_ms), f"{course.over_ms:,}", amount(course.longest_turn_ms)
    each = course.seconds / course.keys * 1e6
    return f"{course.keys:,}", amount(each), f"{course.grown_mb:.1f}", *times


def _child(name: str, url: str, seconds: float) -> Course:
    try:
        return asyncio.run(_fill(by_name(name)(), url, seconds))
    except Exception as error:  # noqa: BLE001 - carried to the table
        return Course(error=f"{type(error).__name__}: {error}")


async def _fill(subject: Subject, url: str, seconds: float) -> Course:
    value = {"id": 7}

    async def load(key: int) -> dict[str, Any]:
        return value

    await subject.start(url, prefix="memory")
    cached = subject.wrap((lambda _key: value) if subject.blocking else load)
    course, run = Course(), _blocking if subject.blocking else _awaited
    await run(cached, range(-3_000, 0), Course())  # to its working size
    gc.collect()
    gc.disable()  # a collection is nobody's call
    grown, began = psutil.Process().memory_info().rss, time.perf_counter()
    while course.keys < KEYS and time.perf_counter() - began < seconds:
        await run(cached, range(course.keys, course.keys + TURN), course)
        await _turn(course)
    course.seconds = time.perf_counter() - began
    course.grown_mb = (psutil.Process().memory_info().rss - grown) / 1e6
    return course


async def _turn(course: Course) -> None:
    before = time.thread_time()
    await asyncio.sleep(0)
    course.longest_turn_ms = max(course.longest_turn_ms, (time.thread_time() - before) * 1e3)


async def _awaited(cached: Load, keys: range, course: Course) -> None:
    for key in keys:
        before = time.thread_time()
        await cached(key)
        course.called((time.thread_time() - before) * 1e3)


async def _blocking(cached: Load, keys: range, course: Course) -> None:
    for key in keys:
        before = time.thread_time()
        cached(key)
        course.called((time.thread_time() - before) * 1e3)
