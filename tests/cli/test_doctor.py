"""The command `pitstop doctor`, as a real process: what it prints and how it ends."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from pitstop.postgres.address import libpq_url
from pitstop.store import NPlusOneTotals, Observations, ScopeTotals, Store

QUERY = ("/shop/api.py", 10, "posts")
LINE = ("/shop/api.py", 12, "posts")
KEY = ("request", "GET /posts/{id}")


@pytest.fixture
def environ() -> dict[str, str]:
    """The environment without anything of ours, on a terminal of fixed width."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PITSTOP_")}
    return {**kept, "COLUMNS": "100"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A directory where a sound application was observed."""
    observe(tmp_path)
    return tmp_path


def observe(directory: Path, *, ms: float = 5.0, lazy: bool = False) -> None:
    """Record twenty requests that take so long, with an N+1 or without."""
    totals = ScopeTotals(*KEY, count=20, total_ms=20 * ms, max_ms=ms, statements=40, last_seen=1.0)
    for _ in range(20):
        totals.latency.add(ms)
    what = ("lazy-load", "Post", "comments", QUERY, LINE)
    cure = "selectinload(Post.comments)"
    found = NPlusOneTotals(*KEY, *what, cure, ("from shop import Post",), True, 20, 600, 30, 90.0, 1.0)
    store = Store(directory / ".pitstop")
    store.merge(Observations({KEY: totals}, {}, {(*KEY, *what): found} if lazy else {}))
    store.close()


def doctor(cwd: Path, environ: dict[str, str], *arguments: str) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "pitstop", "doctor", *arguments]
    done = subprocess.run(
        command, cwd=cwd, env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout, done.stderr


def test_a_sound_application_ends_with_zero(project: Path, environ: dict[str, str]) -> None:
    """Nothing to complain about: the routes are listed, exit code 0."""
    code, out, err = doctor(project, environ)
    assert (code, err) == (0, "")
    assert "GET /posts/{id}" in out
    assert "Nothing to complain about in 20 requests and runs." in out


def test_findings_end_with_one(project: Path, environ: dict[str, str]) -> None:
    """What, where, how often, what it costs and the cure stand there for a person; exit code 1."""
    observe(project, lazy=True)
    code, out, err = doctor(project, environ)
    assert (code, err) == (1, "")
    for part in (
        "1 critical finding.",
        "CRITICAL Post.comments is loaded one Post at a time  [n-plus-one]",
        "/shop/api.py:10 in posts",
        "/shop/api.py:12 in posts",
        "30 extra statements a time",
        "600 extra statements, 90.0 ms in them",
        ".options(selectinload(Post.comments))",
        "from shop import Post",
        "pitstop fix shows which of the loader options it can write",
    ):
        assert part in out


def test_findings_may_end_with_zero(project: Path, environ: dict[str, str]) -> None:
    """--exit-zero reports without failing a pipeline."""
    observe(project, lazy=True)
    code, out, _ = doctor(project, environ, "--exit-zero")
    assert code == 0
    assert "finding" in out


def test_json_is_all_there_is(project: Path, environ: dict[str, str]) -> None:
    """--json prints one document and nothing else, with the same exit code."""
    observe(project, lazy=True)
    code, out, err = doctor(project, environ, "--json")
    document = json.loads(out)
    assert (code, err, document["version"]) == (1, "", 1)
    assert [each["rule"] for each in document["findings"]] == ["n-plus-one"]
    (route,) = document["routes"]
    assert (route["kind"], route["name"], route["count"], route["errors"]) == (*KEY, 40, 0)
    assert route["statements_per_request"] == 2.0
    assert route["p95_ms"] == pytest.approx(5.0, rel=0.025)


def test_json_without_findings(project: Path, environ: dict[str, str]) -> None:
    """Nothing found is an empty list, exit code 0."""
    code, out, err = doctor(project, environ, "--json")
    assert (code, json.loads(out)["findings"], err) == (0, [], "")


def test_without_a_record_it_says_what_to_do(tmp_path: Path, environ: dict[str, str]) -> None:
    """Nothing observed: one line with the command to run, exit code 2, nothing on stdout even with --json."""
    expected = "pitstop: nothing observed yet in '.pitstop': run `pitstop run -- <your command>`\n"
    assert doctor(tmp_path, environ, "--json") == (2, "", expected)


def test_the_record_can_be_elsewhere(
    project: Path, tmp_path_factory: pytest.TempPathFactory, environ: dict[str, str]
) -> None:
    """--store and $PITSTOP_STORE name its directory; the option goes first."""
    elsewhere, store = tmp_path_factory.mktemp("elsewhere"), str(project / ".pitstop")
    assert doctor(elsewhere, {**environ, "PITSTOP_STORE": store})[0] == 0
    assert doctor(elsewhere, {**environ, "PITSTOP_STORE": "nowhere"}, "--store", store)[0] == 0


def test_limits_come_from_the_settings(project: Path, environ: dict[str, str]) -> None:
    """A route of five milliseconds is slow where the limit is one."""
    code, out, _ = doctor(project, {**environ, "PITSTOP_SLOW_REQUEST_MS": "1"})
    assert code == 1
    assert "[slow-route]" in out


def test_brackets_of_names_are_printed(tmp_path: Path, environ: dict[str, str]) -> None:
    """A route whose name looks like markup is printed as it is."""
    key = ("request", "GET /a[bold]b[/bold]")
    store = Store(tmp_path / ".pitstop")
    store.merge(Observations({key: ScopeTotals(*key, count=1, last_seen=1.0)}))
    store.close()
    assert "GET /a[bold]b[/bold]" in doctor(tmp_path, environ)[1]


def test_a_sound_database_without_an_application(
    tmp_path: Path, environ: dict[str, str], database_url: str
) -> None:
    """A database alone: it is said that no application was observed."""
    code, out, _ = doctor(tmp_path, environ, database_url)
    assert code == 0
    assert "Nothing to complain about in the database; no application was observed." in out


@pytest.mark.parametrize("way", ["--dsn", "PITSTOP_DATABASE_URL"])
def test_the_database_is_looked_at(
    tmp_path: Path, environ: dict[str, str], database_url: str, way: str
) -> None:
    """Given in any way, also as asyncpg spells it, the database is judged without a record.

    That nothing was observed that indexes could be advised on is one line on stderr.
    """
    with psycopg.connect(libpq_url(database_url)) as connection:
        connection.execute("CREATE TABLE parent (id int PRIMARY KEY)")
        connection.execute("CREATE TABLE child (parent_id int REFERENCES parent)")
        connection.execute("INSERT INTO child SELECT NULL FROM generate_series(1, 2000)")
    if way == "--dsn":
        code, out, err = doctor(tmp_path, environ, way, database_url, "--json")
    else:
        code, out, err = doctor(tmp_path, {**environ, way: database_url}, "--json")
    assert (code, err.count("\n")) == (1, 1)
    assert err.startswith("pitstop: no index advice: no statement ")
    (finding,) = [each for each in json.loads(out)["findings"] if each["rule"] == "unindexed-foreign-key"]
    assert finding["cure"] == "CREATE INDEX CONCURRENTLY ON child (parent_id)"


@pytest.mark.parametrize(
    ("way", "url"),
    [
        ("argument", "postgresql+asyncpg://ann:hunter2@127.0.0.1:1/shop?ssl=require"),
        ("argument", "postgresql://ann:hunter2@127.0.0.1:port/shop"),
        ("variable", "postgresql://ann:o@hunter2@127.0.0.1/shop"),
    ],
)
def test_secrets_are_never_shown(project: Path, environ: dict[str, str], way: str, url: str) -> None:
    """A database that cannot be read is one line without its password, exit code 2."""
    if way == "argument":
        code, out, err = doctor(project, environ, url)
    else:
        code, out, err = doctor(project, {**environ, "PITSTOP_DATABASE_URL": url})
    assert (code, out) == (2, "")
    assert err.startswith("pitstop: ")
    assert err.count("\n") == 1
    assert "hunter2" not in err


def test_a_wrong_password_is_not_shown(
    project: Path, environ: dict[str, str], sync_database_url: str
) -> None:
    """What the server refuses is said, not what was sent."""
    url = make_url(sync_database_url).set(password="hunter2").render_as_string(hide_password=False)
    code, out, err = doctor(project, environ, url)
    assert (code, out) == (2, "")
    assert "password authentication failed" in err
    assert "hunter2" not in err


def test_a_record_of_another_kind_is_explained(tmp_path: Path, environ: dict[str, str]) -> None:
    """A damaged record is one line that says how to forget it, exit code 2."""
    (tmp_path / ".pitstop").mkdir()
    (tmp_path / ".pitstop" / "store.sqlite").write_text("this is no database at all" * 100)
    code, out, err = doctor(tmp_path, environ)
    assert (code, out) == (2, "")
    assert "pitstop run --reset" in err
    assert err.count("\n") == 1
