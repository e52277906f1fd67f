"""A shop for each test, cloned from one that is filled once."""

import psycopg
import pytest

from pitstop.postgres.address import libpq_url
from pitstop.servers import Servers, create_template
from tests.postgres.explain.shop import SCHEMA


def fill(url: str) -> None:
    with psycopg.connect(libpq_url(url), autocommit=True) as connection:
        for statement in SCHEMA.split(";\n"):
            connection.execute(statement)


@pytest.fixture(scope="session")
def pitstop_template(pitstop_servers: Servers) -> str:
    return create_template(pitstop_servers.sync_database_url, "explained_shop", seed=fill)


@pytest.fixture
def shop(database_url: str) -> str:
    """The address of a filled shop, as libpq spells it."""
    return libpq_url(database_url)
