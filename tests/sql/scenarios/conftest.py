"""A filled database of each kind, made once a session."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, NullPool, create_engine, text
from sqlalchemy.engine import URL, make_url

from tests.sql.scenarios import seed, sqlmodels


def _fill(url: URL) -> URL:
    engine: Engine = create_engine(url, poolclass=NullPool)
    seed.create_all(engine)
    sqlmodels.create_all(engine)
    return url


@pytest.fixture(scope="session")
def sqlite_url(tmp_path_factory: pytest.TempPathFactory) -> URL:
    """A filled SQLite file."""
    path: Path = tmp_path_factory.mktemp("scenarios") / "scenarios.sqlite3"
    return _fill(make_url(f"sqlite:///{path}"))


@pytest.fixture(scope="session")
def postgresql_url(pitstop_servers: Any) -> Iterator[URL]:
    """A filled database of this worker's own on the server of the session."""
    server = make_url(pitstop_servers.sync_database_url)
    admin = create_engine(server, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    name = f"scenarios_{uuid.uuid4().hex[:12]}"
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield _fill(server.set(database=name))
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
