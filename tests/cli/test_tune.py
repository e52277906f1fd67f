"""The command `pitstop tune`, as a real process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from pitstop.postgres.address import libpq_url
from pitstop.servers import private_servers


def tune(directory: Path, *arguments: str, patience_s: float = 120) -> tuple[int, str, str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PITSTOP_")}
    command = [sys.executable, "-m", "pitstop", "tune", *arguments]
    done = subprocess.run(
        command, cwd=directory, env=environ, capture_output=True, text=True, timeout=patience_s, check=False
    )
    return done.returncode, done.stdout, done.stderr


def test_a_machine_alone(tmp_path: Path) -> None:
    """Settings, reasons, what needs a restart, and the worst case of the memory."""
    code, out, err = tune(tmp_path, "--ram", "16GB", "--cores", "4")
    assert (code, err) == (1, "")
    assert [line.split() for line in out.splitlines() if line.startswith("shared_buffers")] == [
        ["shared_buffers", "4GB", "restart"]
    ]
    assert "shared_buffers: 25% of 16GB" in out
    assert "Memory at the worst, as advised: 14.0 GB of 16.0 GB" in out
    assert "no server was asked" in out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--format", "sql"], "ALTER SYSTEM SET work_mem = '16MB';"),
        (["--format", "conf"], "work_mem = '16MB'"),
    ],
)
def test_for_the_server(tmp_path: Path, arguments: list[str], expected: str) -> None:
    """As SQL and as a file."""
    code, out, _ = tune(tmp_path, "--ram", "16GB", "--cores", "4", *arguments)
    assert code == 1
    assert expected in out.splitlines()


def test_a_server(tmp_path: Path, sync_database_url: str) -> None:
    """Beside each setting stands what the server has; nothing is changed."""
    with psycopg.connect(libpq_url(sync_database_url)) as connection:
        before = connection.execute("select name, setting from pg_settings order by name").fetchall()
    code, out, err = tune(tmp_path, sync_database_url, "--ram", "64GB", "--cores", "8", "--json")
    document = json.loads(out)
    assert (code, err) == (1, "")
    settings = {each["name"]: each for each in document["settings"]}
    assert settings["max_wal_size"]["current"] == "2GB"
    assert document["current_memory"]["connections"] == 200
    with psycopg.connect(libpq_url(sync_database_url)) as connection:
        after = connection.execute("select name, setting from pg_settings order by name").fetchall()
    assert {*after} ^ {*before} <= {each for each in {*after, *before} if each[0] == "application_name"}


def test_apply(tmp_path: Path) -> None:
    """With --apply the settings are written and reloaded; the restart is named and left to others."""
    with private_servers(redis=False) as servers:
        code, out, err = tune(tmp_path, servers.database_url, "--ram", "8GB", "--cores", "4", "--apply")
        with psycopg.connect(libpq_url(servers.database_url)) as connection:
            written = connection.execute("show max_wal_size").fetchone()
    assert (code, written) == (0, ("4GB",))
    assert "settings were written and reloaded" in err
    assert "Nothing was changed" not in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--apply"], "--apply needs the address of the server"),
        (["postgresql://ann@db.example/shop"], "the server is on another machine: say its memory and cores"),
        (["--ram", "much", "--cores", "1"], "'much' is no size"),
        (["--script", "x", "--measure"], "--script needs the address"),
        (["--script", "x"], "--script and --seconds are for --measure"),
    ],
)
def test_what_cannot_be_done(tmp_path: Path, arguments: list[str], message: str) -> None:
    """One line that says what to write; exit code 2."""
    code, out, err = tune(tmp_path, *arguments)
    assert (code, out) == (2, "")
    assert message in err


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_measure(tmp_path: Path) -> None:
    """With --measure each group is told with its gain, and only what was accepted is left."""
    machine = ["--ram", "8GB", "--cores", "4"]
    options = ["--measure", "--seconds", "1", "--format", "json"]
    code, out, err = tune(tmp_path, *machine, *options, patience_s=500)
    lines = err.splitlines()
    told = [each.partition(":")[0] for each in lines if "transactions/s" in each]
    assert told == ["control", "memory", "planner", "parallel", "log"]
    accepted = [each for each in lines if each.endswith(": accepted")]
    names = {each["name"] for each in json.loads(out)["settings"]}
    assert bool(names & {"max_wal_size"}) is any(each.startswith("log:") for each in accepted)
    assert code in (0, 1)


def test_a_user_without_rights(tmp_path: Path, sync_database_url: str) -> None:
    """Who is not told every setting gets advice on the others; who may not set them is told where to."""
    name = f"guest_{make_url(sync_database_url).database}"
    with psycopg.connect(libpq_url(sync_database_url), autocommit=True) as owner:
        owner.execute(f"CREATE ROLE \"{name}\" LOGIN PASSWORD 'guest'".encode())
        try:
            url = make_url(sync_database_url).set(username=name, password="guest").render_as_string(False)
            arguments = (url, "--ram", "16GB", "--cores", "4")
            code, out, err = tune(tmp_path, *arguments)
            assert (code, err) == (1, "")
            assert "shared_preload_libraries" not in out
            code, out, err = tune(tmp_path, *arguments, "--apply")
            assert code == 2
            assert "refused after nothing was written: permission denied" in err
            assert "set what --format conf prints where the server is managed" in err
        finally:
            owner.execute(f'DROP ROLE "{name}"'.encode())
