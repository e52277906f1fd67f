"""Sessions on PostgreSQL by both drivers."""

from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine


@pytest.fixture
def sync_engine(sync_database_url: str) -> Iterator[Engine]:
    """By psycopg; times in UTC, as asyncpg gives them whatever the server's zone is."""
    engine = create_engine(sync_database_url, connect_args={"options": "-c timezone=UTC"})
    yield engine
    engine.dispose()


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """By asyncpg, on a server that thinks it is elsewhere."""
    settings = {"server_settings": {"timezone": "Asia/Seoul", "datestyle": "German, DMY"}}
    engine = create_async_engine(database_url, connect_args=settings)
    yield engine
    await engine.dispose()
