"""Databases made, cloned, seeded once and dropped."""

import threading
import uuid

import psycopg
import pytest

from pitstop.errors import ServerError
from pitstop.postgres.address import libpq_url
from pitstop.servers import Servers, create_database, create_template, drop_database, ensure_database


@pytest.fixture
def name() -> str:
    return f'Odd "näme" {uuid.uuid4().hex[:8]}'


def _fill(url: str) -> None:
    with psycopg.connect(libpq_url(url)) as connection:
        connection.execute("create table note as select 42 as number")


def _number(url: str) -> object:
    with psycopg.connect(libpq_url(url)) as connection:
        return connection.execute("select number from note").fetchone()


def test_a_database_is_cloned_and_dropped(pitstop_servers: Servers, name: str) -> None:
    """A clone has what its template has, in the spelling of the given URL; drop ends connections."""
    url = pitstop_servers.sync_database_url
    original = create_database(url, name)
    assert original.startswith("postgresql+psycopg://")
    _fill(original)
    clone = create_database(original, f"{name} 2", template=name)
    assert _number(clone) == (42,)
    with psycopg.connect(libpq_url(clone)):
        drop_database(clone, f"{name} 2")
    drop_database(url, name)
    drop_database(url, name)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(libpq_url(original))


def test_an_existing_database_is_kept(pitstop_servers: Servers, name: str) -> None:
    """ensure_database makes a database the first time only; create_database refuses a second one."""
    url = pitstop_servers.sync_database_url
    _fill(ensure_database(url, name))
    assert _number(ensure_database(url, name)) == (42,)
    with pytest.raises(ServerError, match="already exists"):
        create_database(url, name)
    drop_database(url, name)


def test_a_template_is_seeded_once(pitstop_servers: Servers, name: str) -> None:
    """Workers that ask for the same template at once wait for the one that seeds it."""
    url, seeded = pitstop_servers.sync_database_url, []

    def seed(address: str) -> None:
        seeded.append(address)
        _fill(address)

    workers = [
        threading.Thread(target=create_template, args=(url, name), kwargs={"seed": seed}) for _ in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(seeded) == 1
    assert _number(create_database(url, f"{name} 2", template=name)) == (42,)
    drop_database(url, f"{name} 2")
    drop_database(url, name)


def test_a_failed_seed_leaves_no_template(pitstop_servers: Servers, name: str) -> None:
    """A template whose seed failed is made anew at the next attempt."""
    url = pitstop_servers.sync_database_url
    with pytest.raises(ZeroDivisionError):
        create_template(url, name, seed=lambda address: 1 // 0)
    create_template(url, name, seed=_fill)
    drop_database(url, name)
