"""Behind PgBouncer in transaction mode, and in front of the server itself."""

import asyncio

import pytest
from sqlalchemy import text

from pitstop.pool import create_async_engine, create_sync_engine, pool_status

DRIVERS = ["asyncpg", "psycopg_async"]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("autocommit", [False, True])
async def test_forty_tasks_behind_pgbouncer(pooled_url: str, driver: str, autocommit: bool) -> None:
    """It is noticed, and forty tasks on three server connections all get right answers."""
    engine = create_async_engine(pooled_url.replace("postgresql:", f"postgresql+{driver}:"))
    level = {"isolation_level": "AUTOCOMMIT"} if autocommit else {}

    async def client(number: int) -> None:
        for turn in range(10):
            async with engine.connect() as connection:
                await connection.execution_options(**level)
                answer = await connection.scalar(text(f"select :turn + {number}"), {"turn": turn})
                assert answer == turn + number

    await asyncio.wait_for(asyncio.gather(*map(client, range(40))), 90)
    async with engine.connect() as connection:
        left = await connection.scalar(text("select count(*) from pg_prepared_statements"))
    assert (pool_status(engine).pooler, pool_status(engine).limit) == (True, 60)
    assert left == 0
    await engine.dispose()


def test_threads_behind_pgbouncer(pooled_url: str) -> None:
    """psycopg prepares nothing there, however often a statement comes."""
    engine = create_sync_engine(pooled_url)
    for _ in range(10):
        with engine.connect() as connection:
            connection.execute(text("select 1"))
            left = connection.scalar(text("select count(*) from pg_prepared_statements"))
    assert (pool_status(engine).pooler, left) == (True, 0)
    engine.dispose()


@pytest.mark.parametrize("pooler", [None, True])
async def test_prepared_statements_are_used_where_they_can_be(database_url: str, pooler: bool | None) -> None:
    """Without a pooler the drivers prepare as ever, unless one is said to be there."""
    engine = create_async_engine(database_url, pooler=pooler)
    async with engine.connect() as connection:
        await connection.execute(text("select 1"))
        left = await connection.scalar(text("select count(*) from pg_prepared_statements"))
    assert bool(left) is (pooler is None)
    assert pool_status(engine).pooler is (pooler is True)
    await engine.dispose()


def test_psycopg_prepares_what_comes_often(sync_database_url: str) -> None:
    """Without a pooler psycopg prepares after some executions, as it does by default."""
    engine = create_sync_engine(sync_database_url)
    with engine.connect() as connection:
        for _ in range(8):
            connection.execute(text("select 1"))
        left = connection.scalar(text("select count(*) from pg_prepared_statements"))
    assert left == 1
    engine.dispose()
