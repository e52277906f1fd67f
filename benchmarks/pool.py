"""Pools side by side: who gets a connection when there are two for twenty, and what a check-out costs."""

import asyncio
import statistics
import threading
import time
from typing import Any

from sqlalchemy import create_engine as sqlalchemy_engine
from sqlalchemy import exc, text
from sqlalchemy.ext.asyncio import create_async_engine as sqlalchemy_async_engine

from pitstop.pool import create_async_engine, create_sync_engine
from pitstop.servers import private_servers

CLIENTS, SECONDS, TIMEOUT_S = 20, 1.5, 0.5
ROUNDS, CHECKOUTS = 9, 100


class Crowd:
    """What each of twenty clients got, in one window."""

    def __init__(self) -> None:
        self.served = [0] * CLIENTS
        self.failed = [0] * CLIENTS
        self.longest_s = 0.0
        self.end = time.monotonic() + SECONDS

    def line(self, name: str) -> str:
        got = sorted(self.served)
        return (
            f"  {name:34} {sum(got):7,} {got[0]:7,} {statistics.median(got):9,.0f} {got[-1]:7,}"
            f" {sum(self.failed):9,} {self.longest_s * 1000:9,.0f}"
        )

    def client(self, number: int, engine: Any) -> None:
        while (begun := time.monotonic()) < self.end:
            try:
                with engine.connect() as connection:
                    self.longest_s = max(self.longest_s, time.monotonic() - begun)
                    connection.execute(text("select 1"))
                self.served[number] += 1
            except exc.TimeoutError:
                self.failed[number] += 1

    async def task(self, number: int, engine: Any) -> None:
        while (begun := time.monotonic()) < self.end:
            try:
                async with engine.connect() as connection:
                    self.longest_s = max(self.longest_s, time.monotonic() - begun)
                    await connection.execute(text("select 1"))
                self.served[number] += 1
            except exc.TimeoutError:
                self.failed[number] += 1


def threads(engine: Any) -> Crowd:
    engine.connect().close()
    crowd = Crowd()
    clients = [threading.Thread(target=crowd.client, args=(number, engine)) for number in range(CLIENTS)]
    for each in clients:
        each.start()
    for each in clients:
        each.join()
    engine.dispose()
    return crowd


async def tasks(engine: Any) -> Crowd:
    async with engine.connect():
        pass
    crowd = Crowd()
    await asyncio.gather(*(crowd.task(number, engine) for number in range(CLIENTS)))
    await engine.dispose()
    return crowd


def crowds(url: str, async_url: str) -> None:
    bounds = {"pool_size": 2, "max_overflow": 0, "pool_timeout": TIMEOUT_S}
    ours = {"size": 2, "overflow": 0, "timeout_s": TIMEOUT_S}
    print(f"\npool: {CLIENTS} clients that ask without a pause, 2 connections, {SECONDS:g} s")
    print(
        f"  {'':34} {'served':>7} {'least':>7} {'median':>9} {'most':>7} {'timed out':>9} {'longest ms':>9}"
    )
    print(threads(sqlalchemy_engine(url, pool_pre_ping=True, **bounds)).line("threads, SQLAlchemy, pre-ping"))
    print(threads(create_sync_engine(url, **ours)).line("threads, create_engine"))
    theirs = sqlalchemy_async_engine(async_url, pool_pre_ping=True, **bounds)
    print(asyncio.run(tasks(theirs)).line("tasks, SQLAlchemy, pre-ping"))
    print(asyncio.run(tasks(create_async_engine(async_url, **ours))).line("tasks, create_engine"))


def checkouts(url: str) -> None:
    engines: dict[str, Any] = {
        "SQLAlchemy without a ping (the limit)": sqlalchemy_engine(url),
        "SQLAlchemy, pre-ping": sqlalchemy_engine(url, pool_pre_ping=True),
        "create_engine": create_sync_engine(url),
    }
    times: dict[str, list[float]] = {name: [] for name in engines}
    for number in range(ROUNDS + 1):
        for name, engine in engines.items():
            begun = time.process_time()
            for _ in range(CHECKOUTS):
                engine.connect().close()
            if number:  # the first opens
                times[name].append((time.process_time() - begun) / CHECKOUTS * 1e6)
    for engine in engines.values():
        engine.dispose()
    _print("threads (psycopg)", times)


async def async_checkouts(url: str) -> None:
    engines: dict[str, Any] = {
        "SQLAlchemy without a ping (the limit)": sqlalchemy_async_engine(url),
        "SQLAlchemy, pre-ping": sqlalchemy_async_engine(url, pool_pre_ping=True),
        "create_engine": create_async_engine(url),
    }
    times: dict[str, list[float]] = {name: [] for name in engines}
    for number in range(ROUNDS + 1):
        for name, engine in engines.items():
            begun = time.process_time()
            for _ in range(CHECKOUTS):
                async with engine.connect():
                    pass
            if number:
                times[name].append((time.process_time() - begun) / CHECKOUTS * 1e6)
    for engine in engines.values():
        await engine.dispose()
    _print("asyncio (asyncpg)", times)


def _print(title: str, times: dict[str, list[float]]) -> None:
    print(f"\npool: a check-out and its return, {title}: CPU of the client, median of {ROUNDS} rounds")
    for name, each in times.items():
        print(f"  {name:42} {statistics.median(each):8.1f} us")


def main() -> None:
    with private_servers(redis=False) as servers:
        crowds(servers.sync_database_url, servers.database_url)
        checkouts(servers.sync_database_url)
        asyncio.run(async_checkouts(servers.database_url))


if __name__ == "__main__":
    main()
