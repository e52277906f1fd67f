"""Sizes of B-trees from statistics, held against real builds."""

from typing import Any

import psycopg
import pytest

from pitstop.postgres.address import libpq_url
from pitstop.postgres.btree_size import BTreeSize, IndexColumn, btree_height, btree_size

ROWS = 40_000
INT = IndexColumn(4, "i", 4, "integer")
BIG = IndexColumn(8, "d", 8, "bigint")
TEXT = IndexColumn(-1, "i", 33, "text")
NUMERIC = IndexColumn(-1, "i", 5, "numeric")

SHAPES: dict[str, tuple[str, list[IndexColumn], float]] = {
    "unique integers": ("(i)", [INT], ROWS),
    "unique bigints": ("((i::bigint))", [BIG], ROWS),
    "few values": ("((i % 20))", [INT], 20),
    "a hundred rows a value": ("((i % 400))", [INT], 400),
    "three rows a value": ("((i / 3))", [INT], ROWS / 3),
    "text": ("(md5(i::text))", [TEXT], ROWS),
    "numeric is never folded": ("(((i % 20)::numeric))", [NUMERIC], 20),
    "two columns": ("((i % 20), i)", [INT, INT], ROWS),
    "included": ("((i % 20)) INCLUDE (filler)", [INT, IndexColumn(-1, "i", 11, "text", is_key=False)], 20),
}


@pytest.mark.parametrize("name", SHAPES)
def test_sizes(name: str, sync_database_url: str) -> None:
    """The size is within a quarter of what is built, and the height is that of the tree."""
    definition, columns, distinct = SHAPES[name]
    told = btree_size(columns, rows=ROWS, distinct=distinct)
    pages, height = _built(sync_database_url, definition)
    assert pages / 1.25 <= told.pages <= pages * 1.25
    assert told.height == height
    assert btree_height(pages, columns) == height


def test_a_little_tree() -> None:
    """A tree of some rows is a first page and a leaf."""
    assert btree_size([INT], rows=3, distinct=3) == BTreeSize(2, 0)
    assert btree_size([INT], rows=0, distinct=0) == BTreeSize(2, 0)


def _built(url: str, definition: str) -> tuple[int, int]:
    with psycopg.connect(libpq_url(url), autocommit=True) as connection:
        connection.execute("CREATE EXTENSION pageinspect")
        connection.execute(
            f"CREATE TABLE t AS SELECT i, 'xxxxxxxxxx'::text AS filler FROM generate_series(1, {ROWS}) AS i"
        )
        connection.execute(f"CREATE INDEX built ON t {definition}")  # type: ignore[call-overload]
        row: Any = connection.execute(
            "SELECT pg_relation_size('built') / 8192, level FROM bt_metap('built')"
        ).fetchone()
        return row[0], row[1]
