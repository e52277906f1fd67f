"""Pytest fixtures: private servers for a test run, and for each test an empty or seeded database.

Loaded by pytest wherever Pitstop is installed, so importing this imports next to nothing. Workers
of pytest-xdist share the servers. To seed once and clone for each test, override one fixture::

    @pytest.fixture(scope="session")
    def pitstop_template(pitstop_servers):
        return create_template(pitstop_servers.sync_database_url, "shop", seed=fill)
"""

import os
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pitstop.errors import ServerError

if TYPE_CHECKING:
    from pitstop.servers.private import Servers

__all__ = ["database_url", "pitstop_servers", "pitstop_template", "redis_url", "sync_database_url"]


@pytest.fixture(scope="session")
def pitstop_servers() -> "Iterator[Servers]":
    """A PostgreSQL and a Redis for the whole run, started when a test first asks for them."""
    from pitstop.servers.home import PREFIX
    from pitstop.servers.private import open_servers

    run = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    directory = Path(tempfile.gettempdir()) / f"{PREFIX}{run}" if run else None
    with open_servers(directory, temporary=True) as servers:
        yield servers


@pytest.fixture(scope="session")
def pitstop_template(pitstop_servers: "Servers") -> str:
    """The name of the database that every test gets a clone of: an empty one, unless overridden."""
    return "template1"


@pytest.fixture
def database_url(pitstop_servers: "Servers", pitstop_template: str) -> Iterator[str]:
    """The address, for asyncpg, of a database that this test has to itself."""
    from pitstop.servers.database import create_database, drop_database

    name = f"test_{uuid.uuid4().hex[:16]}"
    yield create_database(pitstop_servers.database_url, name, template=pitstop_template)
    drop_database(pitstop_servers.database_url, name)


@pytest.fixture
def sync_database_url(database_url: str) -> str:
    """The address, for psycopg, of the same database as ``database_url``."""
    from pitstop.postgres.address import psycopg_url

    return psycopg_url(database_url)


@pytest.fixture
def redis_url(pitstop_servers: "Servers") -> Iterator[str]:
    """The address of a logical database of Redis, empty, that this test has to itself."""
    from redis import Redis

    from pitstop.postgres.address import with_database

    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    url = with_database(pitstop_servers.redis_url, str(1 + int(worker)))
    with Redis.from_url(url) as client:
        _clear(client.dbsize(), private="redis" in pitstop_servers.private, name=f"{1 + int(worker)}")
        client.flushdb()
        yield url
        client.flushdb()


def _clear(keys: object, *, private: bool, name: str) -> None:
    """Never flush what somebody else may have put into a Redis that is not ours."""
    if keys and not private:
        raise ServerError(
            f"logical database {name} of the given redis holds {keys} keys and tests flush it: "
            "empty it, or unset PITSTOP_REDIS_URL"
        )
