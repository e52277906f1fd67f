"""The commands `pitstop indexes` and `pitstop forecast`, as real processes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from pitstop.postgres.address import libpq_url

SHOP = """
CREATE TABLE users (id int PRIMARY KEY, email text);
CREATE TABLE orders (
    id int PRIMARY KEY, user_id int REFERENCES users, status text, at timestamptz, note text
);
INSERT INTO users SELECT i, 'user' || i || '@example.com' FROM generate_series(1, 5000) AS i;
INSERT INTO orders
SELECT i, 1 + i % 400, 'done', '2026-01-01'::timestamptz + i * interval '1 minute', repeat('x', 80)
  FROM generate_series(1, 40000) AS i;
CREATE INDEX orders_at ON orders (at);
CREATE INDEX orders_at_again ON orders (at);
ANALYZE;
"""
WORKLOAD = """
-- weight: 50
SELECT * FROM orders WHERE user_id = 7 ORDER BY at DESC LIMIT 10;
SELECT * FROM users WHERE lower(email) = 'user7@example.com';
SELECT * FROM nowhere;
"""


def pitstop(directory: Path, *arguments: str) -> tuple[int, str, str]:
    """Run it; a password of an address goes through the environment, where nobody else can see it."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PITSTOP_")}
    for url in (each for each in arguments if "://" in each):
        environ["PGPASSWORD"] = str(make_url(url).password)
    shown = [bare(each) if "://" in each else each for each in arguments]
    command = [sys.executable, "-m", "pitstop", *shown]
    done = subprocess.run(
        command, cwd=directory, env=environ, capture_output=True, text=True, timeout=150, check=False
    )
    return done.returncode, done.stdout, done.stderr


def bare(url: str) -> str:
    return make_url(url).set(password=None).render_as_string(hide_password=False)


@pytest.fixture
def url(sync_database_url: str) -> str:
    """A shop."""
    with psycopg.connect(libpq_url(sync_database_url), autocommit=True) as connection:
        connection.execute(SHOP)
    return sync_database_url


@pytest.fixture
def workload(tmp_path: Path) -> Path:
    """A file of statements, one of which is wrong."""
    (tmp_path / "workload.sql").write_text(WORKLOAD)
    return tmp_path / "workload.sql"


def test_what_was_advised_is_not_called_unused(url: str, workload: Path, tmp_path: Path) -> None:
    """Right after they were built, indexes that the workload uses are no finding; others wait in one line."""
    _, output, _ = pitstop(tmp_path, "indexes", url, "--workload", str(workload), "--json")
    with psycopg.connect(libpq_url(url), autocommit=True) as connection:
        for each in json.loads(output)["indexes"]:
            connection.execute(each["ddl"])
        connection.execute("DROP INDEX orders_at_again")
    _, output, _ = pitstop(tmp_path, "indexes", url, "--workload", str(workload))
    assert "unused so far: public.orders_at\n" in output
    assert "no advice yet: scans are counted for 0.0 days only" in output
    assert "DROP INDEX" not in output


def test_json(url: str, workload: Path, tmp_path: Path) -> None:
    """The advice as JSON: indexes with size, write cost and statements; statements with costs; the report."""
    code, output, errors = pitstop(tmp_path, "indexes", "--workload", str(workload), "--dsn", url, "--json")
    assert (code, errors) == (1, "")
    advice = json.loads(output)
    ddls = [each["ddl"] for each in advice["indexes"]]
    assert sorted(ddls) == [
        "CREATE INDEX CONCURRENTLY ON public.orders (user_id, at DESC)",
        "CREATE INDEX CONCURRENTLY ON public.users (lower(email))",
    ]
    orders = advice["indexes"][ddls.index(sorted(ddls)[0])]
    assert orders["statements"] == [0]
    assert orders["size_bytes"] > 500_000
    assert orders["write_cost"] > 0
    first, second, broken = advice["statements"]
    assert first["cost_after"] < first["cost_before"] / 5
    assert second["cost_after"] < second["cost_before"] / 5
    assert "nowhere" in broken["problem"]
    assert [each["subject"] for each in advice["report"] if each["kind"] == "duplicate"] == [
        "public.orders_at_again"
    ]
    assert not any(each["kind"] == "foreign-key" for each in advice["report"])  # an advised index serves it


def test_proof(url: str, workload: Path, tmp_path: Path) -> None:
    """With --prove the advice has real times beside what it has anyway; progress goes to stderr."""
    options = ["--workload", str(workload), "--dsn", url]
    code, output, errors = pitstop(tmp_path, "indexes", *options, "--json", "--prove")
    assert code == 1
    assert "build 1 of 2: CREATE INDEX CONCURRENTLY ON " in errors
    advice = json.loads(output)
    assert len(advice["indexes"]) == 2
    assert all(each["proof"]["is_kept"] and each["proof"]["size_bytes"] for each in advice["indexes"])
    first, second, broken = (each["proof"] for each in advice["statements"])
    assert (first["verdict"], second["verdict"], broken["verdict"]) == ("faster", "faster", "not proven")
    assert first["after_ms"] < first["before_ms"]
    assert first["ratio"]["value"] < 1
    assert advice["dropped"] == []
    assert advice["proof"]["mean_after_ms"] < advice["proof"]["mean_before_ms"]
    assert {"ddl", "reason", "size_bytes", "write_cost", "statements"} < set(advice["indexes"][0])


def test_a_proof_as_text(url: str, workload: Path, tmp_path: Path) -> None:
    """Each index shows what it does to its statements, each statement its times."""
    options = ["--workload", str(workload), "--dsn", url]
    code, output, _ = pitstop(tmp_path, "indexes", *options, "--prove")
    assert code == 1
    assert "    proven: statement 1 from " in output
    assert " ms  faster  SELECT * FROM users WHERE lower(email)" in output
    assert "   3  not proven, " in output
    assert "Geometric mean of the times: " in output
    refused, _, errors = pitstop(tmp_path, "indexes", *options, "--prove", "--most-copied", "1MB")
    assert refused == 2
    assert "allow more with --most-copied" in errors


def test_an_interrupted_proof(url: str, workload: Path, tmp_path: Path) -> None:
    """Ctrl-C ends it and leaves no server and no file."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PITSTOP_")}
    environ |= {"PGPASSWORD": str(make_url(url).password), "TMPDIR": str(scratch)}
    command = [sys.executable, "-m", "pitstop", "indexes", "--prove", "--workload", str(workload), bare(url)]
    with subprocess.Popen(command, cwd=tmp_path, env=environ, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        told = next((line for line in running.stderr if line.startswith("build")), "it ended before it built")
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=60)
    assert told.startswith("build")
    assert running.returncode in (1, 130)
    deadline = time.monotonic() + 60
    while list(scratch.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert list(scratch.iterdir()) == [], "waited 60 s for the private server to be deleted"


def test_report(url: str, tmp_path: Path) -> None:
    """Without a workload, the indexes that are there can be looked at alone."""
    code, output, errors = pitstop(tmp_path, "indexes", url, "--report")
    assert (code, errors) == (1, "")
    assert "duplicate: public.orders_at_again" in output
    assert "DROP INDEX CONCURRENTLY public.orders_at_again;" in output
    assert "foreign-key: orders (user_id)" in output


def test_the_counted_workload(url: str, tmp_path: Path) -> None:
    """With neither file nor record, what the server counted is the workload; placeholders are planned."""
    with psycopg.connect(libpq_url(url), autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        # what filled the tables is no part: on a busy server its text keeps its values and can be planned
        connection.execute(
            "SELECT pg_stat_statements_reset(0, oid, 0) FROM pg_database WHERE datname = current_database()"
        )
        for number in range(3):
            connection.execute("SELECT note FROM orders WHERE user_id = %s LIMIT 5", [number])
    code, output, errors = pitstop(tmp_path, "indexes", url)
    assert (code, errors) == (1, "")
    assert "CREATE INDEX CONCURRENTLY ON public.orders (user_id)" in output


def test_forecast(url: str, workload: Path, tmp_path: Path) -> None:
    """The statements that turn bad are named with their cure."""
    code, output, errors = pitstop(tmp_path, "forecast", "--workload", str(workload), url)
    assert (code, errors) == (1, "")
    assert "2 of 3 statements turn bad when the tables are 100 times larger" in output
    assert "now: CREATE INDEX CONCURRENTLY ON public.users (lower(email))" in output


@pytest.mark.parametrize("command", ["indexes", "forecast"])
def test_without_a_database(command: str, workload: Path, tmp_path: Path) -> None:
    """A missing address is said in one line."""
    code, output, errors = pitstop(tmp_path, command, "--workload", str(workload))
    assert (code, output) == (2, "")
    assert "no database: give a DSN, or set PITSTOP_DATABASE_URL" in errors
