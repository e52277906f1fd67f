"""A filled database of each kind, made once a session; tests that write roll back."""

import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, NullPool, create_engine, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tests.sql.peers import models
from tests.sql.scenarios import seed, sqlmodels

ASYNC_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}


def _fill(url: URL) -> URL:
    engine = create_engine(url, poolclass=NullPool)
    seed.create_all(engine)
    sqlmodels.create_all(engine)
    models.fill(engine)
    return url


@pytest.fixture(scope="session")
def sqlite_url(tmp_path_factory: pytest.TempPathFactory) -> URL:
    """A filled SQLite file."""
    return _fill(make_url(f"sqlite:///{tmp_path_factory.mktemp('peers') / 'peers.sqlite3'}"))


@pytest.fixture(scope="session")
def postgresql_url(pitstop_servers: Any) -> Iterator[URL]:
    """A filled database of this worker's own on the server of the session."""
    server = make_url(pitstop_servers.sync_database_url)
    admin = create_engine(server, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    name = f"peers_{uuid.uuid4().hex[:12]}"
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield _fill(server.set(database=name))
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> URL:
    """The address of each in turn."""
    url: URL = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def both(database: URL) -> Iterator[Engine]:
    """An engine on each in turn."""
    engine = create_engine(database)
    yield engine
    engine.dispose()


@pytest.fixture
async def both_async(database: URL) -> AsyncIterator[AsyncEngine]:
    """The same, asynchronously."""
    driver = ASYNC_DRIVERS[database.get_backend_name()]
    engine = create_async_engine(database.set(drivername=driver))
    yield engine
    await engine.dispose()


@pytest.fixture
def engine(sqlite_url: URL) -> Iterator[Engine]:
    """An engine on the SQLite file."""
    engine = create_engine(sqlite_url)
    yield engine
    engine.dispose()
