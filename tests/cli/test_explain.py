"""The command `pitstop explain`, as a real process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, text

from pitstop import Pitstop
from pitstop.postgres.address import libpq_url
from pitstop.scope import open_scope

PLAN = """\
                                  QUERY PLAN
------------------------------------------------------------------------------
 Seq Scan on items  (cost=0.00..9.00 rows=1 width=4) (actual time=0.010..90.000 rows=1 loops=1)
   Filter: (product_id = 7)
   Rows Removed by Filter: 40000
 Execution Time: 91.000 ms
(4 rows)
"""


def explain(
    directory: Path, *arguments: str, url: str | None = None, given: str | None = None
) -> tuple[int, str, str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PITSTOP_")}
    if url is not None:
        environ["PITSTOP_DATABASE_URL"] = url
    command = [sys.executable, "-m", "pitstop", "explain", *arguments]
    done = subprocess.run(
        command,
        cwd=directory,
        env=environ,
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def url(sync_database_url: str) -> str:
    """The address of a database with a table that has no index."""
    with psycopg.connect(libpq_url(sync_database_url), autocommit=True) as connection:
        connection.execute("CREATE TABLE items (product_id int, name text)")
        connection.execute("INSERT INTO items SELECT n % 500, 'x' FROM generate_series(1, 40000) n")
        connection.execute("CREATE SEQUENCE numbers")
        connection.execute("ANALYZE")
    return sync_database_url


def rows(url: str) -> int:
    with psycopg.connect(libpq_url(url)) as connection:
        found = connection.execute("SELECT count(*) FROM items").fetchone()
    assert found is not None
    return int(found[0])


def test_a_statement_is_executed(tmp_path: Path, url: str) -> None:
    """With --analyze the tree has times and the finding its saving and the index; exit code 1."""
    code, out, err = explain(tmp_path, "SELECT * FROM items WHERE product_id = 7", "--analyze", "--dsn", url)
    assert (code, err) == (1, "")
    assert "* Seq Scan on items" in out
    assert "[filtered-scan]" in out
    assert "could save" in out
    assert "cure  CREATE INDEX CONCURRENTLY ON items (product_id)" in out


def test_a_statement_is_only_planned(tmp_path: Path, url: str) -> None:
    """Without --analyze nothing is executed, parameters may stay, and estimates alone are an info."""
    statement = "SELECT * FROM items WHERE product_id = $1"
    code, out, err = explain(tmp_path, statement, url=url)
    assert (code, err) == (0, "")
    assert out.startswith("Estimates only.")
    assert "CREATE INDEX CONCURRENTLY ON items (product_id)" in out


@pytest.mark.parametrize("way", ["file", "stdin"])
def test_a_plan(tmp_path: Path, way: str) -> None:
    """A plan in a file or on stdin needs no database."""
    (tmp_path / "plan.txt").write_text(PLAN)
    code, out, err = explain(tmp_path, "plan.txt" if way == "file" else "-", given=PLAN)
    assert (code, err) == (1, "")
    assert "Execution 91.0 ms." in out
    assert "CRITICAL Seq Scan on items  could save 90.0 ms (99%)  [filtered-scan]" in out
    assert all(len(line) <= 100 for line in out.splitlines()[:5])


def test_json(tmp_path: Path) -> None:
    """--json prints one document: nodes with their figures, and findings."""
    code, out, err = explain(tmp_path, "-", "--json", given=PLAN)
    document = json.loads(out)
    (plan,) = document["plans"]
    (node,) = plan["nodes"]
    assert (code, err, document["version"], plan["execution_ms"]) == (1, "", 1, 91.0)
    assert (node["node_type"], node["self_ms"], node["rows"], node["loops"]) == ("Seq Scan", 90.0, 1.0, 1)
    assert [each["rule"] for each in plan["findings"]] == ["filtered-scan"]


def test_a_recorded_statement(tmp_path: Path, url: str) -> None:
    """--fingerprint explains what was recorded, with its parameters as they are."""
    engine = create_engine(url)
    observed = Pitstop(engine=engine, store=tmp_path / ".pitstop")
    with observed, open_scope("list"), engine.connect() as connection:
        connection.execute(text("SELECT name FROM items WHERE product_id = :id LIMIT 3"), {"id": 7})
    engine.dispose()
    _, listed, _ = run_statements(tmp_path)
    (fingerprint,) = (each["fingerprint"] for each in json.loads(listed)["statements"])
    code, out, err = explain(tmp_path, "--fingerprint", fingerprint[:8], "--dsn", url)
    assert (code, err) == (0, "")
    assert "Seq Scan on items" in out
    code, out, err = explain(tmp_path, "--fingerprint", "abcdef", "--dsn", url)
    assert (code, out) == (2, "")
    assert err.startswith("pitstop: no statement with fingerprint 'abcdef'")


def run_statements(directory: Path) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "pitstop", "statements", "--json"]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("DELETE FROM items", "the statement writes, so it was not executed"),
        (
            "WITH x AS (DELETE FROM items RETURNING 1) TABLE x",
            "the statement writes, so it was not executed",
        ),
        ("SELECT nextval('numbers')", "the statement writes, so it was not executed"),
        ("SELECT 1; DELETE FROM items", "this is more than one statement: give one, nothing was executed"),
        ("SELECT 1; COMMIT; DELETE FROM items", "this is more than one statement"),
        ("EXPLAIN ANALYZE DELETE FROM items", "the statement writes, so it was not executed"),
        ("TABLE items; SELECT 1", "this is more than one statement"),
        (
            "SELECT set_config('transaction_read_only', 'off', true)",
            "read-write mode must be set",
        ),
        (
            "SELECT * FROM items WHERE product_id = $1",
            "the statement has 1 parameter, so it cannot be executed",
        ),
        ("SELECT * FROM nowhere", 'the server refused the statement: relation "nowhere" does not exist'),
        ("SELECT 1,\n  '색' FROM nowhere n", "does not exist, at line 2, column 12: nowhere n"),
        ("SELECT pg_sleep(60)", "the statement took longer than 5 s and was cancelled"),
        ("DROP TABLE items", "'DROP TABLE items' is neither a file nor a SELECT, INSERT, UPDATE"),
    ],
)
def test_nothing_else_is_executed(tmp_path: Path, url: str, statement: str, message: str) -> None:
    """Several statements, writes, functions that write and what takes too long are refused."""
    code, out, err = explain(tmp_path, statement, "--analyze", "--timeout", "5", "--dsn", url)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert rows(url) == 40_000


def test_a_write_is_planned(tmp_path: Path, url: str) -> None:
    """Without --analyze a write has a plan, and writes nothing."""
    code, out, err = explain(tmp_path, "DELETE FROM items", "--dsn", url)
    assert (code, err) == (0, "")
    assert "Delete on items" in out
    assert rows(url) == 40_000


def test_signs_are_left_alone(tmp_path: Path, url: str) -> None:
    """Percent signs, question marks and colons of the statement reach the server as they are."""
    statement = "SELECT 50 % 7, 'a%b', '{\"a\":1}'::jsonb ? 'a', name FROM items WHERE name LIKE '%q%'"
    code, out, err = explain(tmp_path, statement, "--analyze", "--dsn", url)
    assert err == ""
    assert "~~ '%q%'" in out
    assert code == 1


def test_what_is_missing(tmp_path: Path) -> None:
    """No source, or a statement without a database, is one line that says what to give."""
    assert explain(tmp_path) == (
        2,
        "",
        "pitstop: give one of: a statement, a file, - for stdin, or --fingerprint\n",
    )
    code, _, err = explain(tmp_path, "SELECT 1")
    assert code == 2
    assert "a database is needed to explain a statement: give --dsn or PITSTOP_DATABASE_URL" in err
    code, _, err = explain(tmp_path, "plan.txt")
    assert "'plan.txt' is neither a file nor" in err
