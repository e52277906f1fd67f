"""The pytest fixtures of pitstop.servers."""

import psycopg
import pytest
from redis import Redis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from pitstop.postgres.address import libpq_url


async def test_both_urls_name_the_same_fresh_database(database_url: str, sync_database_url: str) -> None:
    """What is written through the synchronous URL is read through the asynchronous one."""
    with psycopg.connect(libpq_url(sync_database_url)) as connection:
        connection.execute("create table note as select 7 as number")
    engine = create_async_engine(database_url)
    async with engine.connect() as connection:
        assert await connection.scalar(text("select number from note")) == 7
    await engine.dispose()


@pytest.mark.parametrize("round", [1, 2])
def test_each_test_has_its_own_database(sync_database_url: str, round: int) -> None:
    """A table that one test makes is not there in the next."""
    with psycopg.connect(libpq_url(sync_database_url)) as connection:
        connection.execute("create table only_here()")


@pytest.mark.parametrize("round", [1, 2])
def test_redis_is_empty(redis_url: str, round: int) -> None:
    """Each test gets an empty logical database of Redis."""
    with Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("key", round)
