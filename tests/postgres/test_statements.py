"""The server's side of statements: read, or the reason why not; and matched with what was sent."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import Connection
from sqlalchemy import create_engine, make_url, text

from pitstop import count_queries
from pitstop.errors import ServerNotFound
from pitstop.postgres.address import libpq_url
from pitstop.postgres.catalog import read_statements
from pitstop.postgres.statements import server_form


@pytest.fixture
def connection(sync_database_url: str) -> Iterator[Connection]:
    """A connection to a database with the extension."""
    with psycopg.connect(libpq_url(sync_database_url), autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        yield connection


def test_what_the_server_counted(connection: Connection, sync_database_url: str) -> None:
    """Calls, times, rows and blocks of each statement; the reading itself is left out."""
    connection.execute("CREATE TABLE big AS SELECT n FROM generate_series(1, 5000) AS n")
    for number in range(3):
        connection.execute("SELECT count(*) FROM big WHERE n > %s", [number])
    for _ in range(2):
        found = read_statements(sync_database_url)
    assert (found.missing, found.hidden) == ("", 0)
    (row,) = [each for each in found.rows if "FROM big WHERE" in each.text]
    assert (row.calls, row.rows) == (3, 3)
    assert row.blocks_hit + row.blocks_read >= 3 * 20
    assert not [each for each in found.rows if "pg_stat_statements" in each.text]


def test_without_the_extension(connection: Connection, sync_database_url: str) -> None:
    """It says what is missing and how to get it."""
    connection.execute("DROP EXTENSION pg_stat_statements")
    found = read_statements(sync_database_url)
    assert found.rows == ()
    assert "run CREATE EXTENSION pg_stat_statements as a superuser" in found.missing


@pytest.mark.parametrize("revoked", [True, False])
def test_without_the_right(connection: Connection, sync_database_url: str, revoked: bool) -> None:
    """Where the view may not be read the grant is named; where it may, what is hidden is counted."""
    url = make_url(sync_database_url)
    role = f"guest_{url.database}"
    connection.execute("SELECT 1 AS private")
    if revoked:
        connection.execute("REVOKE ALL ON pg_stat_statements FROM public")
    connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'guest'")
    try:
        found = read_statements(
            url.set(username=role, password="guest").render_as_string(hide_password=False)
        )
    finally:
        connection.execute(f"DROP ROLE {role}")
    assert not [row for row in found.rows if "private" in row.text]
    assert (f"GRANT pg_read_all_stats TO {role}" in found.missing) is revoked
    assert (found.hidden > 0) is not revoked


def test_nobody_answers() -> None:
    """An address where no server is, is an error of ours without the password."""
    with pytest.raises(ServerNotFound) as caught:
        read_statements("postgresql://ann:hunter2@127.0.0.1:1/shop")
    assert "hunter2" not in str(caught.value)


SENT = [
    "SELECT id FROM item WHERE flag = true AND name IS NOT NULL LIMIT 3",
    "SELECT id FROM item WHERE flag = false AND name IS NULL AND flag IS NOT TRUE",
    "SELECT CASE WHEN id > 3 THEN NULL ELSE false END FROM item ORDER BY 1",
    "SELECT -5, +3, 1e5, id - 3, id -4, cast(:n AS int), ARRAY[1, 2, 3], DATE '2020-01-01' FROM item",
    "SELECT id FROM item WHERE id IN (1, 2, 3) AND id > -7 AND id BETWEEN -3 AND - 1",
    "SELECT id FROM item WHERE id = ANY(ARRAY[:n, 2]) OR id IN (:n)",
    "/* why */ SELECT id FROM item -- because\nWHERE name = 'x' AND id = :n",
    "SELECT item.id, item.name FROM item WHERE item.flag",
    "SELECT item.id AS item_id, item.name AS name_1 FROM item WHERE item.flag",
    "INSERT INTO item (id, flag, name) VALUES (1, true, NULL), (2, false, 'b'), (:n, NULL, 'c')",
    "UPDATE item SET flag = DEFAULT, name = NULL WHERE id = :n",
    "DELETE FROM item WHERE id = :n AND at > now() - interval '1 day' RETURNING id",
    "WITH few AS (SELECT id FROM item WHERE id < 10) SELECT count(*) FROM few, (VALUES (1, 2)) AS v (a, b)",
]


def test_both_sides_match(connection: Connection, sync_database_url: str) -> None:
    """Constants, NULL, true, negative numbers, lists, labels: what was sent is found in the server's text."""
    connection.execute("CREATE TABLE item (id int, flag bool, name text, at timestamptz)")
    engine = create_engine(sync_database_url)
    connection.execute(
        "SELECT pg_stat_statements_reset(0, oid, 0) FROM pg_database WHERE datname = current_database()"
    )
    with count_queries(engine) as queries, engine.begin() as sending:
        for statement in SENT:
            sending.execute(text(statement), {"n": 3} if ":n" in statement else None)
    engine.dispose()
    known = {server_form(row.text) for row in read_statements(sync_database_url).rows}
    assert [each.text for each in queries.statements if server_form(each.text) not in known] == []
