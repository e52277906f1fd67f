"""Engines over a small library, for the tests of the counter."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tests.sql.shelves import fill


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A filled SQLite file."""
    engine = create_engine(f"sqlite:///{tmp_path / 'one.sqlite3'}")
    fill(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def other_engine(tmp_path: Path) -> Iterator[Engine]:
    """Another one."""
    engine = create_engine(f"sqlite:///{tmp_path / 'two.sqlite3'}")
    fill(engine)
    yield engine
    engine.dispose()


@pytest.fixture
async def async_engine(engine: Engine) -> AsyncIterator[AsyncEngine]:
    """The first file, asynchronously."""
    outer = create_async_engine(f"sqlite+aiosqlite:///{engine.url.database}")
    yield outer
    await outer.dispose()


@pytest.fixture
def postgresql(sync_database_url: str) -> Iterator[Engine]:
    """A filled PostgreSQL database."""
    engine = create_engine(sync_database_url)
    fill(engine)
    yield engine
    engine.dispose()


@pytest.fixture
async def async_postgresql(postgresql: Engine, database_url: str) -> AsyncIterator[AsyncEngine]:
    """The same, by asyncpg."""
    outer = create_async_engine(database_url)
    yield outer
    await outer.dispose()
