"""Requests that bring very many rows into the application, as when a table is loaded to count it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.advisor.finding import Finding
from pitstop.store import StatementTotals

if TYPE_CHECKING:
    from pitstop.advisor.evidence import Evidence

__all__ = ["examine"]

RULE = "large-result"


def examine(evidence: "Evidence") -> Iterable[Finding]:
    """One finding for each statement of a request with more than ``large_result_rows`` rows a call.

    Details: ``fingerprint``, ``text``, ``calls``, ``rows_per_call``.
    """
    for each in evidence.observations.statements.values():
        rows = each.rows / each.calls if each.calls and each.rows > 0 else 0.0
        if each.scope_kind == "request" and rows >= evidence.thresholds.large_result_rows:
            yield _finding(each, rows)


def _finding(each: StatementTotals, rows: float) -> Finding:
    return Finding(
        rule=RULE,
        severity="critical" if rows >= 10_000 else "warning",
        subject=each.scope,
        what=f"{each.scope} loads {rows:,.0f} rows with one statement",
        how_often=f"{each.calls:,} times",
        cost=f"{each.total_ms / each.calls:,.1f} ms a time in the driver, and the CPU and memory of the rows",
        cost_ms=each.total_ms,
        cure="count, sum or filter in SQL (select(func.count())), or load a page of it with limit()",
        location=each.location,
        query_location=each.location,
        details={
            "fingerprint": each.fingerprint,
            "text": each.text,
            "calls": each.calls,
            "rows_per_call": rows,
        },
    )
