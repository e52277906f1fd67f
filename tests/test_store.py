"""The record: totals that merge, many writers, a bound that holds, and files that cannot be used."""

import logging
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitstop.errors import StoreError
from pitstop.postgres.placeholders import skipped_rows
from pitstop.statistics import percentile
from pitstop.store import (
    Latency,
    NPlusOneTotals,
    Observations,
    ScopeTotals,
    StatementTotals,
    Store,
    read_store,
    reset_store,
)

PLACE = ("/srv/shop.py", 22, "posts")


def observed(*, ms: float = 10.0, scope: str = "GET /posts", fingerprint: str = "f1") -> Observations:
    """One request with one statement and one N+1."""
    key = ("request", scope)
    totals = ScopeTotals(
        *key,
        count=1,
        errors=1,
        total_ms=ms,
        max_ms=ms,
        statements=4,
        max_statements=4,
        first_seen=5.0,
        last_seen=5.0,
    )
    totals.latency.add(ms)
    statement = StatementTotals(
        *key, fingerprint, PLACE, "SELECT 1", calls=4, total_ms=ms, max_ms=ms / 2, rows=8, last_seen=5.0
    )
    finding = NPlusOneTotals(
        *(*key, "lazy-load", "Post", "author", PLACE, None, "joinedload(Post.author)"),
        imports=("from shop import Post",),
        is_expression=True,
        requests=1,
        extra=3,
        max_extra=3,
        total_ms=ms,
        last_seen=5.0,
    )
    times = Latency()
    times.add(ms)
    return Observations(
        {key: totals},
        {(*key, fingerprint, PLACE): statement},
        {(*key, "lazy-load", "Post", "author", PLACE, None, finding.callers): finding},
        {fingerprint: times},
    )


@given(st.lists(st.floats(0.01, 1e7), min_size=1, max_size=200), st.sampled_from([0.0, 0.5, 0.95, 0.99, 1.0]))
def test_quantiles_are_within_two_and_a_half_percent(durations: list[float], q: float) -> None:
    """Whatever the durations, a quantile is told to within 2.5% of the exact one."""
    latency = Latency()
    for ms in durations:
        latency.add(ms)
    exact = percentile(sorted(durations), max(q, 1e-9))
    assert latency.quantile(q) == pytest.approx(exact, rel=0.025)


def test_of_two_requests_the_slower_is_the_p95() -> None:
    """A quantile is one of the durations, by nearest rank, and never above the longest."""
    route = ScopeTotals("request", "GET /", count=2, total_ms=110.0, max_ms=100.0)
    for ms in (10.0, 100.0):
        route.latency.add(ms)
    assert route.quantile(0.5) == pytest.approx(10.0, rel=0.025)
    assert 97.5 <= route.quantile(0.95) <= 100.0


def test_merged_latencies_count_all() -> None:
    """Merging adds the counts of both, and one of nothing tells 0."""
    fast, slow = Latency(), Latency()
    fast.add(1.0)
    slow.add(1000.0)
    fast.merge(slow)
    assert fast.count == 2
    assert Latency().quantile(0.5) == 0.0


def test_what_is_merged_is_read_back(tmp_path: Path) -> None:
    """One batch comes back exactly as it was merged, locations and imports included."""
    Store(tmp_path).merge(observed())
    found, given_ = read_store(tmp_path), observed()
    assert found.statements == given_.statements
    assert found.n_plus_one == given_.n_plus_one
    assert found.statement_latency["f1"].buckets == given_.statement_latency["f1"].buckets
    assert found.scopes["request", "GET /posts"].latency.buckets == (
        given_.scopes["request", "GET /posts"].latency.buckets
    )


def test_batches_add_up(tmp_path: Path) -> None:
    """Counts and times are added, maxima kept, first and last sight widened."""
    store = Store(tmp_path)
    store.merge(observed(ms=10.0))
    store.merge(observed(ms=30.0))
    found = read_store(tmp_path)
    scope = found.scopes["request", "GET /posts"]
    assert (scope.count, scope.errors, scope.total_ms, scope.max_ms) == (2, 2, 40.0, 30.0)
    assert (scope.statements, scope.max_statements, scope.mean_ms) == (8, 4, 20.0)
    (statement,) = found.statements.values()
    assert (statement.calls, statement.total_ms, statement.max_ms, statement.rows) == (8, 40.0, 15.0, 16)
    assert found.statement_latency["f1"].count == 2
    (finding,) = found.n_plus_one.values()
    assert (finding.requests, finding.extra, finding.max_extra, finding.total_ms) == (2, 6, 3, 40.0)


def test_unknown_rows_do_not_spoil_known_ones(tmp_path: Path) -> None:
    """A batch whose rows are unknown (-1) leaves the rows of the others as they are."""
    store, unknown = Store(tmp_path), observed()
    next(iter(unknown.statements.values())).rows = -1
    for batch in (unknown, observed(), unknown):
        store.merge(batch)
    assert next(iter(read_store(tmp_path).statements.values())).rows == 8


def test_rows_that_nobody_has_are_kept(tmp_path: Path) -> None:
    """Who asks for the page after 2**63 rows, again and again, does not stop the record."""
    skipped = skipped_rows("SELECT * FROM posts LIMIT $1 OFFSET $2", (20, 2**63 - 1))
    store, batch = Store(tmp_path), observed()
    next(iter(batch.statements.values())).skipped = 1000 * skipped
    store.merge(batch)
    store.merge(batch)
    assert next(iter(read_store(tmp_path).statements.values())).skipped == 2000 * skipped


def test_the_directory_hides_itself_from_git(tmp_path: Path) -> None:
    """The first merge makes the directory with a .gitignore that covers all of it."""
    Store(tmp_path / "deep" / ".pitstop").merge(observed())
    assert (tmp_path / "deep" / ".pitstop" / ".gitignore").read_text() == "*\n"


def test_long_statements_are_cut(tmp_path: Path) -> None:
    """Of a statement's text at most 10,000 characters are kept."""
    batch = observed()
    next(iter(batch.statements.values())).text = "x" * 50_000
    Store(tmp_path).merge(batch)
    assert len(next(iter(read_store(tmp_path).statements.values())).text) == 10_000


WRITER = """
import sys
from pitstop.store import ScopeTotals, Observations, Store
store = Store(sys.argv[1])
for _ in range(int(sys.argv[2])):
    totals = ScopeTotals("request", "GET /", count=1, total_ms=2.0)
    totals.latency.add(2.0)
    store.merge(Observations({("request", "GET /"): totals}))
"""


def test_many_processes_write_at_once(tmp_path: Path) -> None:
    """Four processes that open a record that does not exist yet and merge into it lose nothing."""
    command = [sys.executable, "-c", WRITER, str(tmp_path / "record"), "50"]
    writers = [subprocess.Popen(command) for _ in range(4)]
    assert [writer.wait(60) for writer in writers] == [0] * 4
    scope = read_store(tmp_path / "record").scopes["request", "GET /"]
    assert (scope.count, scope.total_ms, scope.latency.count) == (200, 400.0, 200)


def test_the_bound_holds(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Far more than fits is merged: the bound holds all the time, the costliest stays, one warning."""
    bound = 1024 * 1024
    store = Store(tmp_path, max_bytes=bound)
    store.merge(observed(ms=1e9, fingerprint="costly"))
    with caplog.at_level(logging.WARNING, "pitstop"):
        for number in range(400):
            batch = observed(ms=1.0 + number, scope=f"GET /{number}", fingerprint=f"f{number}")
            next(iter(batch.statements.values())).text = f"SELECT {number} {'x' * 8_000}"
            store.merge(batch)
            assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= bound
    found = read_store(tmp_path)
    assert any(each.fingerprint == "costly" for each in found.statements.values())
    assert 10 < len(found.statements) < 400
    assert found.statement_latency.keys() == {each.fingerprint for each in found.statements.values()}
    assert len([record for record in caplog.records if "bound" in record.message]) == 1


def test_a_batch_larger_than_the_bound_is_refused_and_the_rest_stays(tmp_path: Path) -> None:
    """A single batch that can never fit raises StoreError; what was there before is still there."""
    store = Store(tmp_path, max_bytes=1024 * 1024)
    store.merge(observed())
    huge = observed(ms=1.0)
    for number in range(200):
        key = ("request", "GET /posts", f"h{number}", None)
        huge.statements[key] = StatementTotals(*key, text=f"{number}" + "x" * 9_000)
    with pytest.raises(StoreError, match="full"):
        store.merge(huge)
    store.merge(observed())
    assert read_store(tmp_path).scopes["request", "GET /posts"].count == 2


@pytest.mark.parametrize("content", [b"not a database at all, but long enough" * 50, b""])
def test_a_file_that_is_no_database_is_replaced(tmp_path: Path, content: bytes) -> None:
    """Garbage (or an empty file) in the record's place does not stop the recording."""
    (tmp_path / "store.sqlite").write_bytes(content)
    Store(tmp_path).merge(observed())
    assert read_store(tmp_path).scopes
    assert (tmp_path / "store.aside.sqlite").exists() is bool(content)


def test_a_record_of_another_version_is_moved_aside(tmp_path: Path) -> None:
    """A record that a newer Pitstop wrote is kept beside, readers say what to do, writers begin anew."""
    Store(tmp_path).merge(observed())
    other = sqlite3.connect(tmp_path / "store.sqlite", isolation_level=None)
    other.execute("PRAGMA user_version = 99")
    other.close()
    with pytest.raises(StoreError, match=r"has version 99.*--reset"):
        read_store(tmp_path)
    Store(tmp_path).merge(observed())
    assert read_store(tmp_path).scopes["request", "GET /posts"].count == 1
    assert (tmp_path / "store.aside.sqlite").exists()


def test_a_record_that_breaks_while_it_is_open_is_replaced(tmp_path: Path) -> None:
    """The file is overwritten under a writer: the next merge moves it aside and goes on."""
    store = Store(tmp_path)
    store.merge(observed())
    store.close()
    pages = bytearray((tmp_path / "store.sqlite").read_bytes())
    pages[4096:] = os.urandom(len(pages) - 4096)
    (tmp_path / "store.sqlite").write_bytes(pages)
    store.merge(observed())
    assert read_store(tmp_path).scopes["request", "GET /posts"].count == 1


def test_reset_forgets_and_writers_go_on(tmp_path: Path) -> None:
    """After a reset nothing is there; a process that had the record open begins a new one."""
    store = Store(tmp_path)
    store.merge(observed())
    reset_store(tmp_path)
    with pytest.raises(StoreError, match="nothing observed yet"):
        read_store(tmp_path)
    store.merge(observed())
    assert read_store(tmp_path).scopes["request", "GET /posts"].count == 1


def test_reading_what_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    """A directory without a record is explained in the user's words, and is not made."""
    with pytest.raises(StoreError, match=r"nothing observed yet in '.*none': run `pitstop run"):
        read_store(tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_reading_garbage_says_what_to_do(tmp_path: Path) -> None:
    """A file that is no database is a StoreError for the reader."""
    (tmp_path / "store.sqlite").write_bytes(b"garbage" * 1000)
    with pytest.raises(StoreError, match=r"cannot read the record.*--reset"):
        read_store(tmp_path)


def test_a_place_that_cannot_be_written_is_a_store_error(tmp_path: Path) -> None:
    """Below a file no directory can be made: one error of ours that names the place and the variable."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot write the record in .*PITSTOP_STORE"):
        Store(tmp_path / "file" / ".pitstop").merge(observed())


FULL_DISK = """
import resource, sys
from pitstop.errors import StoreError
from pitstop.store import ScopeTotals, Observations, Store
store = Store(sys.argv[1])
def merge(name):
    totals = ScopeTotals("request", name, count=1)
    store.merge(Observations({("request", name): totals}))
merge("first")
limits = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (8192, limits[1]))
try:
    merge("no space left for this one" + "x" * 9000)
except StoreError:
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    merge("space again")
    print("recovered")
"""


def test_a_full_disk_is_a_store_error_and_passes(tmp_path: Path) -> None:
    """Without room for a batch it is refused whole; with room again the record goes on, undamaged."""
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "recovered\n"
    assert {name for _, name in read_store(tmp_path).scopes} == {"first", "space again"}
