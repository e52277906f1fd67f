"""Databases for the tests of every service."""

import uuid
from collections.abc import Callable, Iterator

import pytest

from pitstop.servers import Servers, create_database, create_template, drop_database
from tests.services.service import Service

Clone = Callable[..., str]


@pytest.fixture
def empty_url(pitstop_servers: Servers) -> Iterator[str]:
    name = f"empty_{uuid.uuid4().hex}"
    yield create_database(pitstop_servers.database_url, name)
    drop_database(pitstop_servers.database_url, name)


@pytest.fixture
def clone(pitstop_servers: Servers) -> Iterator[Clone]:
    """Gives the address of a seeded database of a service, for this test alone."""
    url, made = pitstop_servers.sync_database_url, []

    def make(service: Service, *, scale: int = 1) -> str:
        seed = service.module("seed").seed
        name = service.name if scale == 1 else f"{service.name}_{scale}"
        template = create_template(url, name, seed=lambda empty: seed(empty, scale=scale))
        made.append(f"{name}_{uuid.uuid4().hex}")
        return create_database(url, made[-1], template=template)

    yield make
    for name in made:
        drop_database(url, name)
