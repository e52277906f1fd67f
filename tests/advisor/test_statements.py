"""Statement statistics: both sides of a statement side by side, summed and sorted."""

from pitstop.advisor.statements import merge_statements, sort_statements
from pitstop.postgres import fingerprint
from pitstop.postgres.statements import StatementStats
from pitstop.store import Latency, Observations, StatementTotals

PLACE = ("/shop/api.py", 10, "posts")


def seen(text: str, *times: float, scope: str = "GET /posts", rows: int = 10) -> Observations:
    digest = fingerprint(text).digest
    latency = Latency()
    for ms in times:
        latency.add(ms)
    key = ("request", scope, digest, PLACE)
    totals = StatementTotals(*key, text, len(times), sum(times), max(times), rows)
    return Observations(statements={key: totals}, statement_latency={digest: latency})


def together(*parts: Observations) -> Observations:
    found = Observations()
    for each in parts:
        found.statements |= each.statements
        for digest, latency in each.statement_latency.items():
            found.statement_latency.setdefault(digest, Latency()).merge(latency)
    return found


def counted(text: str, calls: int, total_ms: float) -> StatementStats:
    return StatementStats(
        *(fingerprint(text).digest, text, calls, total_ms, total_ms / calls, total_ms, 7 * calls, 100, 5)
    )


def test_the_applications_side() -> None:
    """Calls, mean, p95, longest and rows; the route that took most time is named, others are counted."""
    text = "SELECT id FROM post WHERE id = %(id)s"
    record = together(seen(text, *[1.0] * 90, *[50.0] * 10), seen(text, 900.0, scope="GET /slow", rows=3))
    (found,) = merge_statements(record)
    side = found.application
    assert side is not None
    assert (side.calls, side.max_ms, side.rows, side.scopes) == (101, 900.0, 13, 2)
    assert side.mean_ms == (90 + 500 + 900) / 101
    assert side.p95_ms is not None
    assert abs(side.p95_ms - 50.0) < 1.3
    assert (side.scope, side.location, found.server) == ("GET /slow", PLACE, None)


def test_unknown_rows_and_times_stay_unknown() -> None:
    """Rows that the driver did not tell are -1, the p95 of a record without times is None."""
    record = seen("SELECT 1", 5.0, rows=-1)
    record.statement_latency.clear()
    (found,) = merge_statements(record)
    assert found.application is not None
    assert (found.application.rows, found.application.p95_ms) == (-1, None)


def test_p95_is_never_above_the_longest() -> None:
    """The middle of a bucket may lie above what was measured; the longest is known exactly."""
    (found,) = merge_statements(seen("SELECT 1", 1.43))
    assert found.application is not None
    assert found.application.p95_ms is not None
    assert found.application.p95_ms <= found.application.max_ms == 1.43


def test_both_sides_are_one_statement() -> None:
    """Other placeholders, casts and constants than the server's: one row with both, users summed."""
    record = seen("SELECT id FROM post WHERE flag = true AND id = %(id)s::INTEGER", 4.0)
    rows = [
        counted("SELECT id FROM post WHERE flag = $1 AND id = $2::INTEGER", calls, 10.0 * calls)
        for calls in (2, 3)
    ]
    (found,) = merge_statements(record, rows)
    assert found.application is not None
    assert found.server is not None
    assert (found.server.calls, found.server.mean_ms, found.server.rows) == (5, 10.0, 35)
    assert (found.server.max_ms, found.server.blocks_hit, found.server.blocks_read) == (30.0, 200, 10)


def test_a_text_that_was_cut_is_matched_by_its_fingerprint() -> None:
    """Of a very long statement the record holds the beginning; it is found all the same."""
    text = f"SELECT {', '.join(f'column_{number}' for number in range(2000))} FROM wide WHERE id = $1"
    record = seen(text, 4.0)
    next(iter(record.statements.values())).text = text[:10_000]
    (found,) = merge_statements(record, [counted(text, 2, 9.0)])
    assert found.application is not None
    assert found.server is not None


def test_one_side_alone() -> None:
    """What only one of the two knows stands there with the other side empty, and sorts by what is known."""
    merged = merge_statements(
        together(seen("SELECT a FROM t", 30.0), seen("SELECT b FROM t", 1.0, 1.0)),
        [counted("SELECT c FROM t", 4, 20.0)],
    )
    assert [each.text for each in merged] == ["SELECT a FROM t", "SELECT c FROM t", "SELECT b FROM t"]
    assert [each.application is None for each in merged] == [False, True, False]
    assert [each.text[7] for each in sort_statements(merged, by="calls")] == ["c", "b", "a"]
    assert [each.text[7] for each in sort_statements(merged, by="mean")] == ["a", "c", "b"]
    assert [each.text[7] for each in sort_statements(merged, by="p95")] == ["a", "c", "b"]


def test_values_are_taken_out() -> None:
    """A text with values pasted into it is shown without them."""
    (found,) = merge_statements(seen("SELECT id FROM post WHERE mail = 'ann@example.org'", 1.0))
    assert found.text == "SELECT id FROM post WHERE mail = ?"
    assert found.as_json()["server"] is None
