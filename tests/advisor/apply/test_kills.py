"""`pitstop apply` as a real process, killed at random moments beside writers: the same again ends valid."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.advisor.apply.conftest import Applier, invalid, is_valid

Database = psycopg.Connection[Any]
SIGNALS = [signal.SIGKILL, signal.SIGTERM, signal.SIGINT]
# by its own code, by the signal before or after that was in place, or it was done already
ENDS = {0, *(-number for number in SIGNALS), *(128 + number for number in SIGNALS)}
NAMES = {"ix_slow", "ix_state", "ix_at"}
SQL = """
CREATE INDEX ix_slow ON orders (slowly(customer), id);
CREATE UNIQUE INDEX ix_state ON orders (state, id);
CREATE INDEX ix_at ON events (at);
"""
MANY_ROWS = """
INSERT INTO orders SELECT number, number % 100, 'new', md5(number::text)
  FROM generate_series(100000, 900000) AS number
"""
MANY_SQL = """
CREATE INDEX ix_slow ON orders (note, customer);
CREATE UNIQUE INDEX ix_state ON orders (state, note, id);
CREATE INDEX ix_at ON events (at);
"""


class Writer(threading.Thread):
    """Inserts and updates until told to stop; waiting five seconds for a lock ends it with an error."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.url, self.stop, self.writes, self.error = url, threading.Event(), 0, ""

    def run(self) -> None:
        with psycopg.connect(self.url, autocommit=True, options="-c lock_timeout=5s") as connection:
            while not self.stop.wait(0.005):
                try:
                    self._write(connection, 1_000_000 + self.writes)
                except psycopg.Error as error:
                    self.error = str(error)
                    return
                self.writes += 1

    def _write(self, connection: Database, number: int) -> None:
        connection.execute("INSERT INTO orders VALUES (%s, %s, 'late', 'note')", [number, number % 90 + 1])
        connection.execute("UPDATE orders SET customer = customer + 1 WHERE id = %s", [number % 1000 + 1])
        connection.execute("INSERT INTO events VALUES (%s, '2026-01-20')", [number])


@pytest.fixture
def writer(url: str, database: Database) -> Iterator[Writer]:
    """Writes beside the test, and never waits for long."""
    thread = Writer(url)
    thread.start()
    yield thread
    thread.stop.set()
    thread.join(30)


def start(url: str, plan: Path, *more: str) -> "subprocess.Popen[str]":
    own = {name: value for name, value in os.environ.items() if not name.startswith("PITSTOP_")}
    path = os.pathsep.join(os.path.abspath(each) for each in sys.path if each)
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "pitstop", "apply", "--ddl", str(plan), "--apply", *more],
        env={**own, "PYTHONPATH": path, "PITSTOP_DATABASE_URL": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def begun(process: "subprocess.Popen[str]") -> None:
    """Wait until the first statement runs."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(("CREATE", "DROP")):
            return
    raise AssertionError(f"ended with {process.wait(60)} before it began")


def killed(
    url: str, plan: Path, number: signal.Signals, *, after_s: float, more: tuple[str, ...] = ()
) -> int:
    """Begin, and end it by a signal some time later."""
    process = start(url, plan, *more)
    try:
        begun(process)
        time.sleep(after_s)
        process.send_signal(number)
        process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    return process.returncode


def undisturbed_s(url: str, plan: Path) -> float:
    """How long the changes take."""
    process = start(url, plan)
    begun(process)
    began = time.monotonic()
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    return time.monotonic() - began


def finish(url: str, plan: Path, *, revert: bool = False) -> None:
    """Run to the end; it waits for what the server still does for one that was killed."""
    asyncio.run(Applier(url)(plan.read_text(), revert=revert))


def kill_often(url: str, database: Database, writer: Writer, plan: Path, *, moments: int) -> None:
    """Kill, run again, look, and take it all back, over and over."""
    chance, on_the_way, half_built = random.Random(moments), 0, 0
    within_s = 0.8 * undisturbed_s(url, plan)
    finish(url, plan, revert=True)
    for moment in range(moments):
        after_s = within_s * (moment + chance.random()) / moments  # each part of the way has its kill
        code = killed(url, plan, SIGNALS[moment % len(SIGNALS)], after_s=after_s)
        assert code in ENDS
        on_the_way += code != 0
        half_built += bool(invalid(database))
        finish(url, plan)
        assert invalid(database) == []
        assert {name for name in NAMES if is_valid(database, name)} == NAMES, after_s
        if moment % 3 == 0:
            killed(url, plan, SIGNALS[moment % 2], after_s=chance.random() * 0.2, more=("--revert",))
        finish(url, plan, revert=True)
        assert invalid(database) == []
        assert database.execute("SELECT count(*) FROM pg_class WHERE relname ~ '^ix_'").fetchone() == (0,)
    print(f"{on_the_way} of {moments} killed on the way, {half_built} left an invalid index to the re-run")
    assert on_the_way >= moments // 2
    assert writer.error == ""
    assert writer.writes > 0


def test_killed_at_random_moments(url: str, database: Database, writer: Writer, tmp_path: Path) -> None:
    """Killed, terminated and interrupted on the way: each re-run ends valid, and writers never wait long."""
    plan = tmp_path / "plan.sql"
    plan.write_text(SQL)
    kill_often(url, database, writer, plan, moments=6)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_killed_on_many_rows(url: str, database: Database, writer: Writer, tmp_path: Path) -> None:
    """The same at 20 moments of real builds over 800,000 rows."""
    database.execute(MANY_ROWS)
    plan = tmp_path / "plan.sql"
    plan.write_text(MANY_SQL)
    kill_often(url, database, writer, plan, moments=20)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_stopped_politely(url: str, database: Database, tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C and SIGTERM take the half-built index away before the process ends, with the usual exit code."""
    plan = tmp_path / "plan.sql"
    plan.write_text(SQL)
    assert killed(url, plan, number, after_s=0.3) == 128 + number
    assert invalid(database) == []
    assert is_valid(database, "ix_slow") is None
