"""Commits of connections that no session has: what they write is dropped as well."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from pitstop.cache import Cache
from pitstop.postgres.address import psycopg_url
from tests.cache.conftest import OpenCache
from tests.cache.shop import Order, Orders, order_tags

DOUBLED = sa.update(Order).values(total=Order.total * 2)


class Totals:
    """A cached read of the shop."""

    def __init__(self, cache: Cache, engine: sa.Engine) -> None:
        plain = Orders(engine)

        @cache.cached(ttl=60, tags=["order:{order_id}"])
        def total(order_id: int) -> int | None:
            return plain.total(order_id)

        self.total, self.plain = total, plain
        cache.invalidate_on_commit(Order, tags=order_tags)

    def is_kept(self) -> bool:
        """Whether a value stays, read twice."""
        self.total(1)
        calls = self.plain.calls
        self.total(1)
        return self.plain.calls == calls


@pytest.fixture
def totals(cache: Cache, engine: sa.Engine) -> Totals:
    totals = Totals(cache, engine)
    assert totals.is_kept()
    return totals


@pytest.fixture(params=["asyncpg", "psycopg"])
async def async_engine(
    request: pytest.FixtureRequest, database_url: str, engine: sa.Engine
) -> AsyncIterator[AsyncEngine]:
    found = create_async_engine(database_url if request.param == "asyncpg" else psycopg_url(database_url))
    yield found
    await found.dispose()


def test_begin(totals: Totals, engine: sa.Engine) -> None:
    """``engine.begin()`` drops what its block wrote, and what comes after it is kept again."""
    with engine.begin() as connection:
        connection.execute(DOUBLED)
        assert totals.total(1) == 10
    assert totals.total(1) == 20
    assert totals.is_kept()


def test_commit_of_a_connection(totals: Totals, engine: sa.Engine) -> None:
    """``connection.commit()`` drops it although the connection goes on."""
    with engine.connect() as connection:
        connection.execute(DOUBLED)
        connection.commit()
        assert totals.total(1) == 20
        connection.scalar(sa.text("SELECT 1"))
        assert totals.is_kept(), "the next transaction has begun"


def test_text(totals: Totals, engine: sa.Engine) -> None:
    """A textual statement that may write drops everything with tags of rows."""
    with engine.begin() as connection:
        connection.execute(sa.text(f"UPDATE {Order.__tablename__} SET total = 30"))
    assert totals.total(1) == 30


def test_rollback(totals: Totals, engine: sa.Engine) -> None:
    """What a connection rolled back drops nothing."""
    with engine.connect() as connection:
        connection.execute(DOUBLED)
        connection.rollback()
    calls = totals.plain.calls
    assert totals.total(1) == 10
    assert totals.plain.calls == calls


def test_a_commit_that_fails(totals: Totals, engine: sa.Engine) -> None:
    """After a COMMIT that the database refuses its fence is off."""
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE checked (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)"))
    with pytest.raises(sa.exc.IntegrityError), engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO checked VALUES (1), (1)"))
    assert totals.total(1) == 10
    assert totals.is_kept()


def test_a_session_in_a_transaction_of_a_connection(totals: Totals, engine: sa.Engine) -> None:
    """What a session wrote within a connection's transaction is dropped when that commits."""
    with engine.connect() as connection:
        with connection.begin(), Session(connection, join_transaction_mode="create_savepoint") as session:
            session.get_one(Order, 1).total = 12
            session.commit()
        assert totals.total(1) == 12


async def test_async_connections(totals: Totals, async_engine: AsyncEngine) -> None:
    """The same for async engines."""
    async with async_engine.begin() as connection:
        await connection.execute(DOUBLED)
    assert totals.total(1) == 20
    assert totals.is_kept()
    async with async_engine.connect() as connection:
        await connection.execute(DOUBLED)
        await connection.commit()
        assert totals.total(1) == 40


async def test_autocommit_of_async_connections(totals: Totals, async_engine: AsyncEngine) -> None:
    """In AUTOCOMMIT a statement drops what it writes before it returns."""
    alone = async_engine.execution_options(isolation_level="AUTOCOMMIT")
    async with alone.connect() as connection:
        await connection.execute(DOUBLED)
        assert totals.total(1) == 20
        assert totals.is_kept()


def test_autocommit(totals: Totals, engine: sa.Engine) -> None:
    """In AUTOCOMMIT a statement drops what it writes before it returns, also one that fails lets go."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(DOUBLED)
        assert totals.total(1) == 20
        assert totals.is_kept()
        with pytest.raises(sa.exc.DBAPIError):
            connection.execute(sa.text(f"UPDATE {Order.__tablename__} SET total = 1 / 0"))
        assert totals.total(1) == 20
        assert totals.is_kept()


async def test_a_time_out_inside_a_transaction(database_url: str, open_cache: OpenCache) -> None:
    """A statement that was cancelled has cost its connection; the transaction is rolled back all the same."""
    open_cache().invalidate_on_commit(Order, tags=order_tags)
    engine = create_async_engine(database_url)
    async with AsyncSession(engine) as session:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await session.execute(sa.text("SELECT pg_sleep(60)"))
        await session.rollback()
        assert await session.scalar(sa.text("SELECT 1")) == 1
    async with engine.connect() as connection:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await connection.execute(sa.text("SELECT pg_sleep(60)"))
        await connection.rollback()
        assert await connection.scalar(sa.text("SELECT 1")) == 1
    await engine.dispose()
