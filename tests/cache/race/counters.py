"""The table of a race: rows with a version, and sessions that read and write them."""

import asyncio
import random
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import Select, create_engine, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from pitstop.cache.cache import Cache
from pitstop.postgres.address import psycopg_url

__all__ = ["Counter", "Counters", "create_counters"]


class Base(DeclarativeBase):
    pass


class Counter(Base):
    __tablename__ = "counter"

    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int]


def create_counters(database_url: str, rows: int) -> None:
    """Make the table, each row at version 0."""
    engine = create_engine(psycopg_url(database_url))
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(insert(Counter), [{"id": row, "version": 0} for row in range(rows)])
    engine.dispose()


class Counters:
    """The table in one process: cached functions that read it, commits that write it.

    Args:
        database_url: of the database.
        cache: keeps what is read.
        isolation: of all transactions.
        linger: seconds that a load at most waits between its read and its return, at random; that is where
            a writer passes it.
        tracked: whether there is a function whose tags are found by its statements.
    """

    def __init__(
        self, database_url: str, cache: Cache, *, isolation: str, linger: float, tracked: bool = False
    ) -> None:
        self.linger, self.steady = linger, False
        self.loads = 0
        self.engine = create_async_engine(
            database_url, isolation_level=isolation, pool_size=12, max_overflow=20
        )
        self.sync_engine = create_engine(
            psycopg_url(database_url), isolation_level=isolation, pool_size=4, max_overflow=20
        )
        cache.invalidate_on_commit(Counter, tags=lambda counter: [f"counter:{counter.id}"])
        self.readers = self._cached(cache, tracked=tracked)

    async def write(self, row: int, version: int) -> None:
        """Commit a version of a row."""
        async with AsyncSession(self.engine) as session:
            counter = await session.get_one(Counter, row)
            counter.version = version
            await session.commit()

    def write_sync(self, row: int, version: int) -> None:
        """The same in blocking code."""
        with Session(self.sync_engine) as session:
            session.get_one(Counter, row).version = version
            session.commit()

    async def write_past(self, row: int, version: int) -> None:
        """Write a version of a row without a session: nothing is invalidated."""
        async with self.engine.begin() as connection:
            await connection.execute(update(Counter).where(Counter.id == row).values(version=version))

    async def stored(self, row: int) -> int:
        """What the database holds, past the cache."""
        async with AsyncSession(self.engine) as session:
            return (await session.execute(_version(row))).scalar_one()

    async def close(self) -> None:
        await self.engine.dispose()
        self.sync_engine.dispose()

    def _pause(self) -> float:
        return self.linger * (1.0 if self.steady else random.random())

    def _cached(self, cache: Cache, *, tracked: bool) -> dict[str, Callable[[int], Any]]:
        tagged = cache.cached(ttl=600, tags=["counter:{row}"])

        @tagged
        async def version_of(row: int) -> int:
            self.loads += 1
            async with AsyncSession(self.engine) as session:
                version = (await session.execute(_version(row))).scalar_one()
                await asyncio.sleep(self._pause())
            return version

        @tagged
        def version_of_sync(row: int) -> int:
            self.loads += 1
            with Session(self.sync_engine) as session:
                version = session.execute(_version(row)).scalar_one()
                time.sleep(self._pause())
            return version

        found: dict[str, Callable[[int], Any]] = {"async": version_of, "sync": version_of_sync}
        if tracked:

            @cache.cached(ttl=600, track=True)
            async def tracked_version_of(row: int) -> int:
                self.loads += 1
                async with AsyncSession(self.engine) as session:
                    version = (await session.get_one(Counter, row)).version
                    await asyncio.sleep(self._pause())
                return version

            found["tracked"] = tracked_version_of
        return found


def _version(row: int) -> Select[tuple[int]]:
    return select(Counter.version).where(Counter.id == row)
