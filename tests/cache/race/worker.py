"""A process of a race: takes orders as lines of JSON on its standard input, and answers each with one."""

import asyncio
import json
import random
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from pitstop.cache.cache import Cache
from pitstop.cache.clock import clock
from pitstop.errors import FenceFailed, RedisUnavailable
from tests.cache.race.board import Board
from tests.cache.race.counters import Counters
from tests.cache.race.results import Results
from tests.cache.race.values import Values


class Stop:
    """Stops the next commit of the process when it is fenced, once."""

    def __init__(self) -> None:
        self.reached, self.go_on = threading.Event(), threading.Event()
        event.listen(Session, "before_commit", self._stop, once=True)

    def _stop(self, session: Session) -> None:
        self.reached.set()
        self.go_on.wait(20.0)


class Worker:
    """Does what it is told.

    Args:
        orders: the first line: ``database_url``, ``redis_url``, ``board``, ``rows``, ``index``,
            ``isolation``, ``linger`` and the arguments of the cache.
    """

    def __init__(self, orders: dict[str, Any]) -> None:
        self.index: int = orders["index"]
        self._window, self._pace = 0, 0.0
        self._enough = asyncio.Event()
        self.board = Board(Path(orders["board"]), orders["rows"])
        self.cache = Cache(orders["redis_url"], **orders["cache"])
        self.counters = Counters(
            orders["database_url"],
            self.cache,
            isolation=orders["isolation"],
            linger=orders["linger"],
            tracked=orders.get("tracked", False),
        )

    async def start(self) -> dict[str, Any]:
        await self.cache.start(seconds=10.0)
        return {"up": True}

    async def begin(self) -> dict[str, Any]:
        """Start without waiting until Redis is used."""
        self.cache._begin()
        return {}

    async def race(
        self,
        *,
        seconds: float,
        commits: int = 1_000_000_000,
        own: list[int] | None = None,
        rows: int,
        kinds: list[str],
        callers: int = 4,
        timed: bool = False,
        writers: int = 1,
        window: int = 0,
        pace: float = 0.0,
        until_told: bool = False,
    ) -> dict[str, Any]:
        """Write the rows of one's own and read all, until the time is over or all commits are made.

        Args:
            seconds, commits: to do so at most.
            own, rows: those to write, and how many there are to read.
            kinds, callers: of reads.
            timed: whether each read's time is kept.
            writers: commits under way at once.
            window: to read that many rows about the board's focus instead of all.
            pace: seconds between the reads of a caller.
            until_told: whether :meth:`enough` may end it.
        """
        results = Results(self.board, self.index, own or ())
        self._window, self._pace = window or rows, pace
        stop = asyncio.Event()
        until = clock() + seconds
        loads = self.counters.loads
        readers = [
            asyncio.create_task(self._read(results, stop, rows, kind, timed))
            for kind in kinds
            if kind != "sync"
            for _ in range(callers)
        ]
        threads = [
            asyncio.create_task(asyncio.to_thread(self._read_sync, results, stop, rows, timed))
            for kind in kinds
            if kind == "sync"
            for _ in range(2)
        ]
        shares = [share for share in ((own or [])[at::writers] for at in range(writers)) if share]
        writing = [
            asyncio.create_task(self._write(results, share, until, commits // writers, at % 2 == 1, timed))
            for at, share in enumerate(shares)
        ]
        if until_told:
            await asyncio.wait_for(self._enough.wait(), seconds)
            self._enough.clear()
            until = 0.0
        if writing:
            await asyncio.wait(writing)
        if not writing or commits == 1_000_000_000:
            await asyncio.sleep(max(0.0, until - clock()))
        stop.set()
        await asyncio.gather(*readers, *threads, *writing)
        return results.told(loads=self.counters.loads - loads, **self._counts())

    async def enough(self) -> dict[str, Any]:
        """End the race that goes on."""
        self._enough.set()
        return {}

    async def read(self, *, row: int, kind: str = "async") -> dict[str, Any]:
        """One read."""
        expected, began = self.board.acknowledged(row), clock()
        got = await self._call(kind, row)
        return {"got": got, "expected": expected, "seconds": clock() - began, "loads": self.counters.loads}

    async def write(self, *, row: int, blocking: bool = False) -> dict[str, Any]:
        """One commit of the next version."""
        version, began = self.board.acknowledged(row) + 1, clock()
        try:
            if blocking:
                await asyncio.to_thread(self.counters.write_sync, row, version)
            else:
                await self.counters.write(row, version)
        except (FenceFailed, RedisUnavailable, DBAPIError) as error:
            return {"error": repr(error), "seconds": clock() - began}
        self.board.acknowledge(row, version, now=clock())
        return {"version": version, "seconds": clock() - began}

    async def stored(self, *, row: int) -> dict[str, Any]:
        """What the database holds."""
        return {"version": await self.counters.stored(row)}

    async def begin_commit(self, *, row: int) -> dict[str, Any]:
        """A commit up to its COMMIT, which waits for :meth:`end_commit`; what must be fenced is."""
        version = self.board.acknowledged(row) + 1
        self._stopped = Stop()
        self._committing = (
            asyncio.create_task(asyncio.to_thread(self.counters.write_sync, row, version)),
            row,
            version,
        )
        reached = asyncio.create_task(asyncio.to_thread(self._stopped.reached.wait, 20.0))
        await asyncio.wait([reached, self._committing[0]], return_when=asyncio.FIRST_COMPLETED)
        return {"reached": self._stopped.reached.is_set()}

    async def end_commit(self) -> dict[str, Any]:
        """The rest of it."""
        self._stopped.go_on.set()
        committing, row, version = self._committing
        await committing
        self.board.acknowledge(row, version, now=clock())
        return {"version": version}

    async def change(self, *, row: int, blocking: bool = False) -> dict[str, Any]:
        """Write past the sessions, and invalidate by hand."""
        version = self.board.acknowledged(row) + 1
        await self.counters.write_past(row, version)
        try:
            await self.cache.invalidate(f"counter:{row}")
        except RedisUnavailable as error:
            return {"error": repr(error)}
        self.board.acknowledge(row, version, now=clock())
        return {"version": version}

    async def gather(self, *, row: int, callers: int, cancelled: int = 0) -> dict[str, Any]:
        """Many callers of one key at once."""
        before = self.counters.loads
        tasks = [asyncio.create_task(self._call("async", row)) for _ in range(callers)]
        await asyncio.sleep(0.02)
        for each in tasks[:cancelled]:
            each.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        return {
            "loads": self.counters.loads - before,
            "answered": sum(isinstance(each, int) for each in outcomes),
            "cancelled": sum(isinstance(each, asyncio.CancelledError) for each in outcomes),
        }

    async def commits(self, *, rows: list[int], pause: float = 0.0) -> dict[str, Any]:
        """One commit of each row after the other; how long each took."""
        seconds = []
        for row in rows:
            seconds.append((await self.write(row=row))["seconds"])
            await asyncio.sleep(pause)
        return {"write_seconds": seconds}

    async def reads(self, *, row: int, number: int, pause: float = 0.0) -> dict[str, Any]:
        """Reads of one row, one after the other: what each took, and how many came from the cache."""
        seconds, before, stale = [], self.counters.loads, 0
        for _ in range(number):
            answer = await self.read(row=row)
            seconds.append(answer["seconds"])
            stale += answer["got"] < answer["expected"]
            await asyncio.sleep(pause)
        loads = self.counters.loads - before
        return {"read_seconds": seconds, "loads": loads, "stale": stale}

    async def bypassed(self, *, row: int, number: int) -> dict[str, Any]:
        """Reads past the cache."""
        seconds = []
        for _ in range(number):
            began = clock()
            await self.counters.readers["async"].bypass(row)  # type: ignore[attr-defined]
            seconds.append(clock() - began)
        return {"read_seconds": seconds}

    async def silence(self) -> dict[str, Any]:
        """Commit without the cache from now on."""
        fence = self.cache._fence
        self._told = fence._rules, fence.tracks
        fence._rules, fence.tracks = [], False
        return {}

    async def speak(self) -> dict[str, Any]:
        """Commit with it again."""
        self.cache._fence._rules, self.cache._fence.tracks = self._told
        return {}

    async def linger(self, *, seconds: float, steady: bool = False) -> dict[str, Any]:
        """How long loads take from now on, at most or exactly."""
        self.counters.linger, self.counters.steady = seconds, steady
        return {}

    async def store(self, *, seconds: float, own: list[int], rows: int, callers: int) -> dict[str, Any]:
        """``set``, ``get`` and ``delete``: nobody may get what was before an acknowledged ``set``."""
        results = Results(self.board, self.index, own)
        await Values(self.cache, results).race(clock() + seconds, own=own, rows=rows, callers=callers)
        return results.told(**self._counts())

    async def close(self) -> dict[str, Any]:
        await self.cache.close()
        await self.counters.close()
        return {}

    async def _call(self, kind: str, row: int) -> Any:
        if kind == "sync":
            return await asyncio.to_thread(self.counters.readers[kind], row)
        return await self.counters.readers[kind](row)

    async def _read(self, results: Results, stop: asyncio.Event, rows: int, kind: str, timed: bool) -> None:
        function = self.counters.readers[kind]
        while not stop.is_set():
            row = self._row(rows)
            expected, began = self.board.acknowledged(row), clock()
            try:
                got = await function(row)
            except DBAPIError as error:
                results.errors[type(error.orig).__name__] += 1
                continue
            if timed:
                results.read_seconds.append(clock() - began)
            results.judge(kind, row, expected, got, began)
            if self._pace or random.random() < 0.1:
                await asyncio.sleep(self._pace)

    def _row(self, rows: int) -> int:
        if self._window == rows:
            return random.randrange(rows)
        return (self.board.focus + random.randrange(self._window) - self._window // 2) % rows

    def _read_sync(self, results: Results, stop: asyncio.Event, rows: int, timed: bool) -> None:
        function = self.counters.readers["sync"]
        while not stop.is_set():
            row = self._row(rows)
            expected, began = self.board.acknowledged(row), clock()
            try:
                got = function(row)
            except DBAPIError as error:
                results.errors[type(error.orig).__name__] += 1
                continue
            if timed:
                results.read_seconds.append(clock() - began)
            results.judge("sync", row, expected, got, began)
            if self._pace or random.random() < 0.1:
                time.sleep(self._pace or 0.0005)

    async def _write(
        self, results: Results, own: list[int], until: float, commits: int, blocking: bool, timed: bool
    ) -> None:
        done = 0
        while clock() < until and done < commits:
            row = random.choice(own)
            answer = await self.write(row=row, blocking=blocking)
            if "error" in answer:
                results.errors[answer["error"].split("(")[0]] += 1
                await asyncio.sleep(0.01)
                continue
            done += 1
            results.commits += 1
            results.write_seconds.append(answer["seconds"])

    def _counts(self) -> dict[str, Any]:
        stats = self.cache.stats()
        return {"stats": {name: repr(each) for name, each in stats.namespaces.items()}, "up": stats.up}


async def serve() -> None:
    """Take orders until there are no more."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=1 << 24)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    worker = Worker(json.loads(await reader.readline()))
    under_way: asyncio.Task[None] | None = None
    while line := await reader.readline():
        order = json.loads(line)
        if order["do"] == "enough":  # answered after what it ends
            await worker.enough()
        previous = under_way
        under_way = asyncio.create_task(_obey(worker, order, previous))


async def _obey(worker: Worker, order: dict[str, Any], previous: "asyncio.Task[None] | None") -> None:
    if previous is not None:
        await asyncio.wait([previous])
    try:
        what = order.pop("do")
        answer = {} if what == "enough" else await getattr(worker, what)(**order)
    except Exception:
        answer = {"failed": traceback.format_exc()}
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started it ends it
    asyncio.run(serve())
