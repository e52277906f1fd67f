"""The catalog: what is read of a real PostgreSQL, and what is said when it cannot be read."""

import socket
from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import make_url

from pitstop.errors import PitstopError, ServerNotFound, SettingsError
from pitstop.postgres import fingerprint
from pitstop.postgres.address import libpq_url
from pitstop.postgres.catalog import Catalog, read_catalog

Connection = psycopg.Connection[tuple[object, ...]]
ROWS = 2_000


@pytest.fixture
def connection(sync_database_url: str) -> Iterator[Connection]:
    """A connection of its own, each statement committed."""
    with psycopg.connect(libpq_url(sync_database_url), autocommit=True) as connection:
        yield connection


def fill(connection: Connection, ddl: str, *tables: str, rows: int = ROWS) -> None:
    """Make tables beside a parent with one row, fill them, and let the statistics know."""
    connection.execute("CREATE TABLE parent (a int UNIQUE, b int, PRIMARY KEY (a, b))")
    connection.execute("INSERT INTO parent VALUES (1, 1)")
    connection.execute(ddl)
    for table in tables:
        connection.execute(f"INSERT INTO {table} SELECT n, 1, 1 FROM generate_series(1, {rows}) AS n")
    connection.execute("SELECT pg_stat_force_next_flush()")


def unindexed(url: str) -> dict[str, tuple[str, ...]]:
    return {key.table: key.columns for key in read_catalog(url).unindexed_foreign_keys}


SINGLE = "CREATE TABLE child (id int PRIMARY KEY, a int REFERENCES parent (a), b int);"
PAIR = "CREATE TABLE child (id int PRIMARY KEY, a int, b int, FOREIGN KEY (a, b) REFERENCES parent (a, b));"


@pytest.mark.parametrize(
    ("ddl", "found"),
    [
        (SINGLE, ("a",)),
        (SINGLE + "CREATE INDEX ON child (a)", None),
        (SINGLE + "CREATE INDEX ON child (a, b)", None),
        (SINGLE + "CREATE INDEX ON child (b, a)", ("a",)),
        (SINGLE + "CREATE INDEX ON child (b) INCLUDE (a)", ("a",)),
        (SINGLE + "CREATE INDEX ON child (a) WHERE b > 0", ("a",)),
        (SINGLE + "CREATE INDEX ON child ((a + 0))", ("a",)),
        (SINGLE + "CREATE UNIQUE INDEX ON child (a, id)", None),
        (PAIR, ("a", "b")),
        (PAIR + "CREATE INDEX ON child (a, b)", None),
        (PAIR + "CREATE INDEX ON child (b, a)", None),
        (PAIR + "CREATE INDEX ON child (b, a, id)", None),
        (PAIR + "CREATE INDEX ON child (a)", ("a", "b")),
        (PAIR + "CREATE INDEX ON child (a, id, b)", ("a", "b")),
    ],
)
def test_which_index_serves_a_foreign_key(
    connection: Connection, sync_database_url: str, ddl: str, found: tuple[str, ...] | None
) -> None:
    """Only an index of the whole table that its columns lead, in any order, serves a foreign key."""
    fill(connection, ddl, "child")
    assert unindexed(sync_database_url) == ({"child": found} if found else {})


def test_an_invalid_index_does_not_count(connection: Connection, sync_database_url: str) -> None:
    """What a failed CREATE INDEX CONCURRENTLY left behind is no index."""
    fill(connection, SINGLE, "child")
    with pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute("CREATE UNIQUE INDEX CONCURRENTLY broken ON child (a)")
    assert unindexed(sync_database_url) == {"child": ("a",)}


def test_small_tables_are_left_out(connection: Connection, sync_database_url: str) -> None:
    """A table of some hundred rows is read as fast without an index."""
    fill(connection, SINGLE, "child", rows=500)
    assert unindexed(sync_database_url) == {}


def test_a_partitioned_table_is_named_once(connection: Connection, sync_database_url: str) -> None:
    """A foreign key of a partitioned table is not told again for each partition."""
    fill(
        connection,
        "CREATE TABLE child (id int, a int REFERENCES parent (a), b int) PARTITION BY RANGE (id);"
        "CREATE TABLE child_1 PARTITION OF child FOR VALUES FROM (0) TO (1500);"
        "CREATE TABLE child_2 PARTITION OF child FOR VALUES FROM (1500) TO (9000)",
        "child",
    )
    assert len(unindexed(sync_database_url)) <= 1


@pytest.mark.parametrize("name", ["order", "userId", 'say "hi"', "two words", "größe", "plain", "a$b"])
def test_the_ddl_of_odd_names_works(connection: Connection, sync_database_url: str, name: str) -> None:
    """Reserved words, capitals, quotes, blanks, other alphabets: the cure can be executed as it is."""
    quoted = '"' + name.replace('"', '""') + '"'
    fill(connection, f"CREATE TABLE {quoted} (id int, {quoted} int REFERENCES parent (a), b int)", quoted)
    (key,) = read_catalog(sync_database_url).unindexed_foreign_keys
    assert key.columns == (name,)
    connection.execute(key.ddl)
    assert unindexed(sync_database_url) == {}


def test_a_foreign_key_tells_its_table(connection: Connection, sync_database_url: str) -> None:
    """Name, parent, rows and scans of the table are told, and the statement that makes the index."""
    fill(connection, SINGLE, "child")
    (key,) = read_catalog(sync_database_url).unindexed_foreign_keys
    assert (key.name, key.parent, key.rows) == ("child_a_fkey", "parent", ROWS)
    assert key.ddl == "CREATE INDEX CONCURRENTLY ON child (a)"


def test_a_foreign_key_tells_of_deletes(connection: Connection, sync_database_url: str) -> None:
    """How many rows of the parent were deleted, each of which read the table."""
    fill(connection, SINGLE, "child")
    (before,) = read_catalog(sync_database_url).unindexed_foreign_keys
    connection.execute("INSERT INTO parent VALUES (-1, -1)")
    connection.execute("DELETE FROM parent WHERE a = -1")
    connection.execute("SELECT pg_stat_force_next_flush()")
    (after,) = read_catalog(sync_database_url).unindexed_foreign_keys
    assert (before.parent_deletes, after.parent_deletes) == (0, 1)


def test_tables_tell_how_they_are_read(connection: Connection, sync_database_url: str) -> None:
    """Rows, sequential scans, rows read by them and index scans are counted."""
    fill(connection, SINGLE, "child")
    (before,) = [each for each in read_catalog(sync_database_url).tables if each.name == "child"]
    for _ in range(3):
        connection.execute("SELECT count(b) FROM child")
    connection.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
    connection.execute("SELECT b FROM child WHERE id = 7")
    connection.execute("SELECT pg_stat_force_next_flush()")
    (after,) = [each for each in read_catalog(sync_database_url).tables if each.name == "child"]
    assert (before.rows, after.rows) == (ROWS, ROWS)
    assert after.seq_scans - before.seq_scans == 3
    assert after.seq_rows_read - before.seq_rows_read == 3 * ROWS
    assert after.index_scans - before.index_scans == 1


def test_an_empty_database_has_nothing_to_tell(connection: Connection, sync_database_url: str) -> None:
    """No table and no extension: nothing is found and nothing fails."""
    connection.execute("DROP EXTENSION IF EXISTS pg_stat_statements")
    assert read_catalog(sync_database_url) == Catalog((), (), ())


@pytest.mark.parametrize("schema", ["public", '"My Tools"'])
def test_statements_of_this_database(connection: Connection, sync_database_url: str, schema: str) -> None:
    """With pg_stat_statements, in any schema, calls, times and rows; the fingerprint is the application's."""
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    connection.execute("DROP EXTENSION IF EXISTS pg_stat_statements")
    connection.execute(f"CREATE EXTENSION pg_stat_statements SCHEMA {schema}")
    for number in range(4):
        connection.execute("SELECT n + %s AS told FROM generate_series(1, 3) AS n", [number])
    seen = {each.fingerprint: each for each in read_catalog(sync_database_url).statements}
    row = seen[fingerprint("select n + 17 as told from generate_series(1, 2) as n").digest]
    assert (row.calls, row.rows) == (4, 12)
    assert 0 < row.mean_ms <= row.max_ms <= row.total_ms
    assert "generate_series" in row.text


def test_statements_may_be_hidden_from_us(connection: Connection, sync_database_url: str) -> None:
    """Without a right to pg_stat_statements the rest of the catalog is read all the same."""
    fill(connection, SINGLE, "child")
    role = f"guest_{make_url(sync_database_url).database}"
    connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    connection.execute("REVOKE ALL ON pg_stat_statements FROM public")
    connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'guest'")
    try:
        url = make_url(sync_database_url).set(username=role, password="guest")
        catalog = read_catalog(url.render_as_string(hide_password=False))
        assert catalog.statements == ()
        assert [key.table for key in catalog.unindexed_foreign_keys] == ["child"]
    finally:
        connection.execute(f"DROP ROLE {role}")


def test_the_session_cannot_write(connection: Connection, sync_database_url: str) -> None:
    """Even a view that writes when it is read, in place of the real one, leaves no trace."""
    connection.execute("""
        CREATE TABLE trace (at timestamptz);
        CREATE FUNCTION leave_trace() RETURNS float LANGUAGE sql VOLATILE
            AS 'INSERT INTO trace VALUES (now()) RETURNING 1.0::float';
        CREATE EXTENSION IF NOT EXISTS pg_stat_statements;
        ALTER EXTENSION pg_stat_statements DROP VIEW pg_stat_statements;
        DROP VIEW pg_stat_statements;
        CREATE VIEW pg_stat_statements AS
            SELECT 'x'::text AS query, 1::bigint AS calls, leave_trace() AS total_exec_time,
                   1.0::float AS mean_exec_time, 1.0::float AS max_exec_time, 1::bigint AS rows, oid AS dbid,
                   0::bigint AS shared_blks_hit, 0::bigint AS shared_blks_read
              FROM pg_database
    """)
    with pytest.raises(ServerNotFound, match="read-only transaction"):
        read_catalog(sync_database_url)
    assert connection.execute("SELECT count(*) FROM trace").fetchone() == (0,)


@pytest.mark.parametrize(
    "driver", ["postgresql", "postgresql+asyncpg", "postgresql+psycopg", "postgresql+psycopg2"]
)
def test_the_driver_of_the_address_does_not_matter(sync_database_url: str, driver: str) -> None:
    """The address may be the one that the application gives to SQLAlchemy."""
    url = make_url(sync_database_url).set(drivername=driver).render_as_string(hide_password=False)
    assert read_catalog(url).tables == ()


def test_a_wrong_password_is_not_told(sync_database_url: str) -> None:
    """The server's refusal is handed on in one line, without the password."""
    url = make_url(sync_database_url).set(password="hunter2").render_as_string(hide_password=False)
    with pytest.raises(ServerNotFound, match="password authentication failed") as caught:
        read_catalog(url)
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_nobody_answers() -> None:
    """A port where nobody listens is named, in one line and without the password."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        with pytest.raises(ServerNotFound, match=str(port)) as caught:
            read_catalog(f"postgresql://ann:hunter2@127.0.0.1:{port}/shop")
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "looks like postgresql://"),
        ("shop", "looks like postgresql://"),
        ("host=127.0.0.1 password=hunter2", "looks like postgresql://"),
        ("postgresql://ann:hunter2@127.0.0.1:port/shop", "something else than host:port"),
        ("mysql://ann:hunter2@127.0.0.1/shop", "mysql:// is no address of a postgresql"),
        ("sqlite:///hunter2.db", "sqlite:// is no address of a postgresql"),
        ("redis://:hunter2@127.0.0.1", "redis:// is no address of a postgresql"),
        ("postgresql://ann:o@hunter2@127.0.0.1/shop", "write '@' in a user or password as %40"),
        ("postgresql://ann:hunter2@127.0.0.1:1/shop?sslmoed=require", 'parameter: "sslmoed"'),
    ],
)
def test_what_is_no_address_is_explained(url: str, says: str) -> None:
    """A misspelt address, or one of another database, is an error of ours that shows no secret."""
    with pytest.raises(PitstopError) as caught:
        read_catalog(url)
    assert says in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_another_kind_of_address_is_a_setting(sync_database_url: str) -> None:
    """The class of the error tells a wrong address from a server that is down."""
    with pytest.raises(SettingsError):
        read_catalog("mysql://127.0.0.1/shop")
    with pytest.raises(ServerNotFound, match="does not exist"):
        read_catalog(sync_database_url + "_gone")


def test_the_word_of_asyncpg_for_tls_is_understood(sync_database_url: str) -> None:
    """``?ssl=prefer`` is what asyncpg says for ``?sslmode=prefer``."""
    url = make_url(sync_database_url).set(drivername="postgresql+asyncpg", query={"ssl": "prefer"})
    assert read_catalog(url.render_as_string(hide_password=False)).tables == ()
