"""First pages of indexes: written here, they pass for real ones."""

from pathlib import Path
from typing import Any

import psycopg
import pytest

from pitstop.postgres.address import libpq_url
from pitstop.postgres.metapage import PAGE_BYTES, page_checksum, write_btree_height
from pitstop.servers import Servers

Connection = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def data(pitstop_servers: Servers) -> Path:
    """The data directory of the private server."""
    if pitstop_servers.directory is None or "postgresql" not in pitstop_servers.private:
        pytest.skip("the files of a server that is not private cannot be written")
    return pitstop_servers.directory / "postgresql" / "data"


@pytest.fixture
def index(sync_database_url: str, data: Path) -> Path:
    """The file of a B-tree that nobody has read."""
    with psycopg.connect(libpq_url(sync_database_url), autocommit=True) as connection:
        connection.execute("CREATE EXTENSION pageinspect; CREATE EXTENSION amcheck")
        connection.execute("CREATE TABLE t (a int); CREATE INDEX t_a ON t (a)")
        row = connection.execute("SELECT pg_relation_filepath('t_a')").fetchone()
    assert row is not None
    return data / row[0]


def test_checksums(sync_database_url: str) -> None:
    """The checksum of a page is the one that PostgreSQL computes, whatever the page and its number."""
    with psycopg.connect(libpq_url(sync_database_url), autocommit=True) as connection:
        connection.execute("CREATE EXTENSION pageinspect")
        for block in (0, 1, 7):
            page, told = connection.execute(
                "SELECT page, page_checksum(page, %s::int) FROM get_raw_page('pg_proc', %s) AS page",
                [block, block],
            ).fetchone() or (b"", 0)
            assert len(page) == PAGE_BYTES
            assert page_checksum(page, block) == told % 65536


@pytest.mark.parametrize("height", [0, 1, 3])
def test_a_height_is_believed(sync_database_url: str, index: Path, height: int) -> None:
    """The server takes the tree for one of that height: it checks it, searches it and reads both its ends."""
    write_btree_height(index, height)
    with psycopg.connect(libpq_url(sync_database_url), autocommit=True) as connection:
        assert connection.execute("SELECT fastlevel FROM bt_metap('t_a')").fetchone() == (height,)
        connection.execute("SELECT bt_index_check('t_a')")
        connection.execute("SET enable_seqscan = off")
        assert connection.execute("SELECT min(a), max(a) FROM t").fetchone() == (None, None)
        assert connection.execute("SELECT a FROM t WHERE a = 1").fetchall() == []


def test_another_index_is_left_alone(sync_database_url: str, data: Path) -> None:
    """What is no B-tree is not changed."""
    with psycopg.connect(libpq_url(sync_database_url), autocommit=True) as connection:
        connection.execute("CREATE TABLE t (a int); CREATE INDEX t_a ON t USING hash (a)")
        row = connection.execute("SELECT pg_relation_filepath('t_a')").fetchone()
    assert row is not None
    before = (data / row[0]).read_bytes()
    write_btree_height(data / row[0], 2)
    assert (data / row[0]).read_bytes() == before
