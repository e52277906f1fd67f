"""The recorder: folds what ends, writes it in time, survives forks and stores that cannot be written."""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from pitstop.advisor.recorder import MAX_NAMES, Recorder, start_recorder
from pitstop.errors import StoreError
from pitstop.scope import Scope, open_scope, set_process_scope
from pitstop.sql import observe
from pitstop.store import Observations, Store, read_store


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    """A recorder of this process."""
    recorder = start_recorder(Store(tmp_path / "record"))
    yield recorder
    recorder.close()


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition that a thread or process brings about."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def counts(directory: Path) -> dict[str, int]:
    """How often each scope was seen."""
    try:
        return {each.name: each.count for each in read_store(directory).scopes.values()}
    except StoreError:
        return {}


def request(name: str, *, status: int = 200) -> None:
    scope = Scope(name, kind="request").enter()
    scope.status = status
    scope.leave()


def test_scopes_are_written_without_being_asked(recorder: Recorder) -> None:
    """A scope that ended is in the record shortly after, while the process goes on."""
    request("GET /posts")
    until(lambda: counts(recorder.store.directory) == {"GET /posts": 1})


def test_statements_are_folded_with_their_scope(recorder: Recorder) -> None:
    """Two operations with one statement each: one row of two calls, at the user's line."""
    engine = create_engine("sqlite://")
    with observe(engine):
        for _ in range(2):
            with open_scope("import prices"), engine.connect() as connection:
                connection.execute(text("SELECT 1")).all()
    engine.dispose()
    recorder.flush()
    found = read_store(recorder.store.directory)
    (statement,) = found.statements.values()
    assert (statement.scope_kind, statement.scope, statement.calls) == ("operation", "import prices", 2)
    assert statement.location is not None
    assert (statement.location[0], statement.location[2]) == (
        __file__,
        "test_statements_are_folded_with_their_scope",
    )
    assert found.scopes["operation", "import prices"].statements == 2
    assert found.statement_latency[statement.fingerprint].count == 2


def test_errors_are_server_errors_and_exceptions(recorder: Recorder) -> None:
    """A 404 is no error, a 503 is one, and so is an operation that raises."""
    request("a", status=404)
    request("b", status=503)
    with pytest.raises(ZeroDivisionError), open_scope("c"):
        raise ZeroDivisionError
    recorder.flush()
    errors = {each.name: each.errors for each in read_store(recorder.store.directory).scopes.values()}
    assert errors == {"a": 0, "b": 1, "c": 1}


def test_the_process_scope_is_written_while_it_runs(recorder: Recorder) -> None:
    """Statements outside any request are written in stretches; the process counts once."""
    process = Scope("script.py", kind="process")
    assert start_recorder(recorder.store, process=process) is recorder
    set_process_scope(process)
    engine = create_engine("sqlite://")
    try:
        with observe(engine), engine.connect() as connection:
            for _ in range(3):
                connection.execute(text("SELECT 1")).all()
                recorder.flush()
    finally:
        set_process_scope(None)
        recorder.close()
        engine.dispose()
    scope = read_store(recorder.store.directory).scopes["process", "script.py"]
    assert (scope.count, scope.statements) == (1, 3)


def test_two_starts_for_one_directory_count_once(recorder: Recorder) -> None:
    """The application and `pitstop run` both start it: one recorder, which the last one ends."""
    second = start_recorder(Store(recorder.store.directory))
    assert second is recorder
    request("GET /")
    second.close()
    request("GET /")
    recorder.flush()
    assert counts(recorder.store.directory) == {"GET /": 2}


def test_names_made_from_data_do_not_fill_the_memory(recorder: Recorder) -> None:
    """From a thousand names on the rest share one."""
    for number in range(MAX_NAMES + 50):
        request(f"GET /{number}")
    recorder.flush()
    assert counts(recorder.store.directory)["(other)"] == 50


def test_a_store_that_cannot_be_written_is_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a place to write observation goes on; with one again, what was held back is written."""
    monkeypatch.setattr("pitstop.advisor.recorder.RETRY_S", 0.0)
    (tmp_path / "blocked").write_text("")
    recorder = start_recorder(Store(tmp_path / "blocked"))
    with caplog.at_level(logging.WARNING, "pitstop"):
        for _ in range(3):
            request("GET /")
            recorder.flush()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    (tmp_path / "blocked").unlink()
    recorder.close()
    assert counts(tmp_path / "blocked") == {"GET /": 3}


class Failing(Store):
    """A store with a defect."""

    def merge(self, observations: Observations) -> None:
        raise RuntimeError("defect")


def test_a_defect_does_not_end_the_recorder(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever the store raises is logged; the thread goes on to the next batch."""
    with caplog.at_level(logging.ERROR, "pitstop"):
        recorder = start_recorder(Failing(tmp_path))
        for round in (1, 2):
            request("GET /")
            until(lambda: len(caplog.records) >= round)  # noqa: B023
    recorder.store = Store(tmp_path)
    recorder.close()


RUNNER = """
import os, sys, time, signal
from pitstop.advisor.recorder import start_recorder
from pitstop.scope import open_scope
from pitstop.store import Store
def work(name):
    with open_scope(name): pass
if __name__ == "__main__":
    recorder = start_recorder(Store(sys.argv[1]))
"""


def run(directory: Path, body: str) -> int:
    """Run a program with a recorder; returns its exit code."""
    script = directory / "runner.py"
    script.write_text(RUNNER + "\n".join(f"    {line}" for line in body.strip().splitlines()) + "\n")
    return subprocess.run(
        [sys.executable, str(script), str(directory / "record")], timeout=60, check=False
    ).returncode


def test_what_is_pending_is_written_at_exit(tmp_path: Path) -> None:
    """A process that ends at once, with an exit code of its own, has written all."""
    assert run(tmp_path, "work('last')\nsys.exit(3)") == 3
    assert counts(tmp_path / "record") == {"last": 1}


def test_a_forked_child_writes_its_own_and_not_its_parents(tmp_path: Path) -> None:
    """Pending in the parent at the fork: written once, by the parent; the child writes what it saw."""
    # the child is never asked to write: its own thread does
    body = """
work('parent')
if os.fork() == 0:
    work('child')
    time.sleep(1.5)
    os._exit(0)
work('parent')
"""
    assert run(tmp_path, body) == 0
    until(lambda: counts(tmp_path / "record") == {"parent": 2, "child": 1})


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_children_of_multiprocessing_write_at_their_end(tmp_path: Path, method: str) -> None:
    """Such children leave without atexit; what they saw is written all the same."""
    child = "work('child')" if method == "fork" else "start_recorder(Store(sys.argv[1])); work('child')"
    body = f"""
    context = multiprocessing.get_context({method!r})
    children = [context.Process(target=child) for _ in range(3)]
    [each.start() for each in children]
    [each.join() for each in children]
    work('parent')
"""
    path = tmp_path / "program.py"
    path.write_text(
        "import multiprocessing\n"
        + RUNNER.replace("if __name__", f"def child():\n    {child}\nif __name__")
        + body
    )
    subprocess.run([sys.executable, str(path), str(tmp_path / "record")], timeout=60, check=True)
    assert counts(tmp_path / "record") == {"child": 3, "parent": 1}


def test_death_by_a_signal_loses_half_a_second_at_most(tmp_path: Path) -> None:
    """A process killed after its thread has written loses nothing that ended before."""
    body = "work('seen')\ntime.sleep(1.5)\nos.kill(os.getpid(), signal.SIGKILL)"
    assert run(tmp_path, body) == -9
    assert counts(tmp_path / "record") == {"seen": 1}


def test_the_recorder_needs_no_sqlalchemy(tmp_path: Path) -> None:
    """Recording requests of an application without SQL does not import SQLAlchemy into it."""
    body = "work('x')\nos._exit('sqlalchemy' in sys.modules)"
    assert run(tmp_path, body) == 0
    assert os.listdir(tmp_path)
