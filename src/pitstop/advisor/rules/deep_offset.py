"""Pages behind a large OFFSET: all rows before them are read and thrown away."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.advisor.finding import Finding
from pitstop.store import StatementTotals

if TYPE_CHECKING:
    from pitstop.advisor.evidence import Evidence

__all__ = ["examine"]

RULE = "deep-offset"
_TIMES = 10


def examine(evidence: "Evidence") -> Iterable[Finding]:
    """One finding for each statement that skips ``skipped_rows`` a call, and ten times what it brings.

    Details: ``fingerprint``, ``text``, ``calls``, ``skipped_per_call``, ``rows_per_call``.
    """
    for each in evidence.observations.statements.values():
        most = max(evidence.thresholds.skipped_rows * each.calls, _TIMES * each.rows)
        if each.calls and each.skipped >= most:
            yield _finding(each)


def _finding(each: StatementTotals) -> Finding:
    skipped = each.skipped / each.calls
    rows = max(each.rows, 0) / each.calls
    share = each.skipped / (each.skipped + max(each.rows, 0))
    return Finding(
        rule=RULE,
        severity="warning",
        subject=each.scope,
        what=f"{each.scope} skips {skipped:,.0f} rows by OFFSET to bring {rows:,.0f}, on average",
        how_often=f"{each.calls:,} times",
        cost=f"{each.total_ms / each.calls:,.1f} ms a time, {share:.0%} of the rows are read in vain, "
        "and each page costs more than the one before",
        cost_ms=each.total_ms * share,
        cure="page by key: WHERE (sort columns) > (those of the last row shown) ORDER BY ... LIMIT n, with "
        "an index in that order, and a cursor instead of a page number: read_model(...).page() does it",
        location=each.location,
        query_location=each.location,
        details={
            "fingerprint": each.fingerprint,
            "text": each.text,
            "calls": each.calls,
            "skipped_per_call": skipped,
            "rows_per_call": rows,
        },
    )
