"""Databases for the tests of every service."""

import uuid
from collections.abc import Iterator

import pytest

from pitstop.servers import Servers, create_database, drop_database


@pytest.fixture
def empty_url(pitstop_servers: Servers) -> Iterator[str]:
    name = f"empty_{uuid.uuid4().hex}"
    yield create_database(pitstop_servers.database_url, name)
    drop_database(pitstop_servers.database_url, name)
