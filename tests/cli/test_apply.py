"""The commands `pitstop plan` and `pitstop apply`, as real processes: what they print, change, end with."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pitstop.postgres.address import libpq_url
from tests.cli.process import run

SQL = "CREATE INDEX ix_note ON orders (note); CREATE INDEX ix_id ON orders (id DESC)"


@pytest.fixture
def database(sync_database_url: str) -> Iterator["psycopg.Connection[Any]"]:
    """A database with a table of orders."""
    with psycopg.connect(libpq_url(sync_database_url), autocommit=True) as connection:
        connection.execute("CREATE TABLE orders (id integer PRIMARY KEY, note text)")
        yield connection


def indexes(database: "psycopg.Connection[Any]") -> list[str]:
    rows = database.execute("SELECT indexname FROM pg_indexes WHERE indexname ~ '^ix' ORDER BY 1")
    return [name for (name,) in rows]


def test_plan_dry_run_apply_revert(
    database: "psycopg.Connection[Any]", database_url: str, tmp_path: Path
) -> None:
    """A plan goes into a file; the dry run shows it and changes nothing; apply does it, and takes it back."""
    code, plan, err = run("plan", "--ddl", "-", typed=SQL, PITSTOP_DATABASE_URL=database_url)
    assert (code, err) == (0, "")
    path = tmp_path / "plan.sql"
    path.write_text(plan)
    arguments = ("apply", "--ddl", str(path))
    code, out, err = run(*arguments, PITSTOP_DATABASE_URL=database_url)
    assert (code, err) == (1, "")
    assert out == f"{plan}-- Nothing was changed: --apply runs these statements.\n"
    assert indexes(database) == []
    code, out, err = run(*arguments, "--apply", PITSTOP_DATABASE_URL=database_url)
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "CREATE INDEX CONCURRENTLY ix_note ON public.orders (note);"
    assert out.endswith("Applied.\n")
    assert indexes(database) == ["ix_id", "ix_note"]
    code, out, err = run(*arguments, PITSTOP_DATABASE_URL=database_url)
    assert (code, out) == (0, "-- Nothing is left to do.\n")
    code, out, err = run(*arguments, "--yes", "--revert", "--json", PITSTOP_DATABASE_URL=database_url)
    assert (code, err) == (0, "")
    assert [each["state"] for each in json.loads(out)["steps"]] == ["done", "done"]
    assert indexes(database) == []


def test_plan_of_the_advisor(database: "psycopg.Connection[Any]", database_url: str, tmp_path: Path) -> None:
    """The JSON of `pitstop indexes` is taken as it is; what is there is left out and told on stderr."""
    database.execute("CREATE INDEX mine ON orders (note)")
    ddl = ["CREATE INDEX ON orders (note)", "CREATE INDEX ON orders (id, note)"]
    path = tmp_path / "advice.json"
    path.write_text(json.dumps({"version": 1, "indexes": [{"ddl": each} for each in ddl]}))
    code, out, err = run("plan", "--indexes", str(path), PITSTOP_DATABASE_URL=database_url)
    assert code == 0
    assert out.startswith(
        "CREATE INDEX CONCURRENTLY ix_orders_id_note ON public.orders (id, note);\n-- revert: "
    )
    assert "mine is the same" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "nothing to change: give --ddl FILE.sql"),
        (("--ddl", "missing.sql"), "cannot read changes from missing.sql: No such file"),
        (("--ddl", "drop.sql"), "cannot carry out 'DROP TABLE orders' on a live database"),
        (("--ddl", "column.sql"), 'column "nothing" does not exist'),
        (("--ddl", "table.sql"), "there is no table stores in this database"),
    ],
)
def test_errors(
    database: "psycopg.Connection[Any]",
    database_url: str,
    tmp_path: Path,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    """What cannot work is one line on stderr, exit code 2, and nothing is begun."""
    (tmp_path / "drop.sql").write_text(f"{SQL}; DROP TABLE orders")
    (tmp_path / "column.sql").write_text(f"{SQL}; CREATE INDEX ON orders (nothing)")
    (tmp_path / "table.sql").write_text(f"{SQL}; CREATE INDEX ON stores (id)")
    code, out, err = run("apply", *arguments, "--apply", cwd=tmp_path, PITSTOP_DATABASE_URL=database_url)
    assert (code, out) == (2, "")
    assert message in err
    assert indexes(database) == []


def test_a_failure_tells_why(database: "psycopg.Connection[Any]", database_url: str) -> None:
    """What fails on the way is one line too; what came before it stands, and the same again goes on."""
    database.execute("INSERT INTO orders VALUES (1, 'same'), (2, 'same')")
    sql = f"{SQL}; CREATE UNIQUE INDEX ix_once ON orders (note)"
    arguments = ("apply", "--ddl", "-", "--apply")
    code, _, err = run(*arguments, typed=sql, PITSTOP_DATABASE_URL=database_url)
    assert code == 2
    assert "could not create unique index" in err
    assert indexes(database) == ["ix_id", "ix_note"]
    database.execute("DELETE FROM orders WHERE id = 2")
    code, _, err = run(*arguments, typed=sql, PITSTOP_DATABASE_URL=database_url)
    assert (code, err) == (0, "")
    assert indexes(database) == ["ix_id", "ix_note", "ix_once"]
