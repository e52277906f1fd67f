"""The command `pitstop statements`, as a real process."""

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


def statements(directory: Path, *arguments: str) -> tuple[int, str, str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PITSTOP_")}
    command = [sys.executable, "-m", "pitstop", "statements", *arguments]
    done = subprocess.run(
        command, cwd=directory, env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def place(tmp_path: Path, sync_database_url: str) -> Path:
    """A directory with a record of two statements on a database with the extension."""
    with psycopg.connect(libpq_url(sync_database_url), autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        connection.execute("SELECT 'nobody else' AS asked")
    engine = create_engine(sync_database_url)
    with Pitstop(engine=engine, store=tmp_path / ".pitstop"):
        for number in range(3):
            with open_scope("import prices"), engine.connect() as connection:
                connection.execute(
                    text("SELECT n FROM generate_series(1, 4) AS n WHERE n > :n"), {"n": number}
                )
        with open_scope("sleep"), engine.connect() as connection:
            connection.execute(text("SELECT pg_sleep(0.03)"))
    engine.dispose()
    return tmp_path


def test_the_record_alone(place: Path) -> None:
    """Without a database the application's side is shown: figures, statement, route and line."""
    code, out, err = statements(place)
    assert (code, err) == (0, "")
    assert out.index("pg_sleep(?)") < out.index("generate_series(?, ?)")
    assert "import prices, " in out
    assert "test_statements.py:" in out
    assert "server" not in out


def test_both_sides(place: Path, database_url: str) -> None:
    """With a database both are shown, and what only the server knows is marked."""
    code, out, err = statements(place, "--database", database_url, "--limit", "0")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].split() == ["application", "server"]
    row = next(lines[index - 1] for index, line in enumerate(lines) if "generate_series" in line).split()
    assert (row[0], row[5], row[6], row[8]) == ("3", "9", "3", "9")
    marked = next(lines[index + 1] for index, line in enumerate(lines) if "AS asked" in line)
    assert marked.strip() == "only the server knows it"


def test_json(place: Path, database_url: str) -> None:
    """--json prints one document: both sides of each statement, null for one that does not know it."""
    code, out, err = statements(place, "--json", "--dsn", database_url, "--sort", "calls", "--limit", "0")
    document = json.loads(out)
    assert (code, err, document["version"]) == (0, "", 1)
    assert document["count"] >= 3
    assert document["server"] == {"missing": None, "hidden": 0}
    # caches of other tests may look for their outbox in this database, too
    first = next(each for each in document["statements"] if each["application"] is not None)
    assert (first["application"]["calls"], first["server"]["calls"]) == (3, 3)
    assert first["application"]["scope"] == "import prices"
    assert {"mean_ms", "p95_ms", "max_ms", "rows"} <= first["application"].keys()
    assert {"mean_ms", "rows", "blocks_hit", "blocks_read"} <= first["server"].keys()


def test_without_the_extension(place: Path, sync_database_url: str) -> None:
    """The application's side is shown all the same, and how to get the other."""
    with psycopg.connect(libpq_url(sync_database_url), autocommit=True) as connection:
        connection.execute("DROP EXTENSION pg_stat_statements")
    code, out, _ = statements(place, "--database", sync_database_url)
    assert code == 0
    assert "generate_series" in out
    assert "The server's side is not known: pg_stat_statements is not installed in this database" in out
    assert "CREATE EXTENSION pg_stat_statements" in out
    _, out, _ = statements(place, "--database", sync_database_url, "--json")
    assert "CREATE EXTENSION" in json.loads(out)["server"]["missing"]


def test_the_limit_says_what_is_left(place: Path) -> None:
    """Of two statements one is shown, and that there is one more."""
    _, out, _ = statements(place, "--limit", "1")
    assert out.rstrip().endswith("... and 1 more: --limit 0 shows all")


def test_nothing_was_observed(tmp_path: Path, database_url: str) -> None:
    """Without record and database one line says what to do, exit code 2; a database alone will do."""
    code, out, err = statements(tmp_path)
    assert (code, out) == (2, "")
    assert err.startswith("pitstop: nothing observed yet in '.pitstop': run `pitstop run")
    assert statements(tmp_path, "--database", database_url)[0] == 0
