"""Requests that count a large part of a table each time."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.advisor.finding import Finding
from pitstop.postgres import abbreviate
from pitstop.postgres.explain import Node

if TYPE_CHECKING:
    from pitstop.advisor.evidence import Evidence
    from pitstop.advisor.plans import PlannedStatement

__all__ = ["examine", "is_told"]

RULE = "counted-table"
_SCANS = ("Seq Scan", "Index Only Scan", "Index Scan", "Bitmap Heap Scan")
_SQL_CHARS = 110
_LONG_MS = 10.0


def examine(evidence: "Evidence") -> Iterable[Finding]:
    """One finding for each statement of a request that is one aggregate of ``scanned_rows`` rows or more.

    An info where it takes less than 10 ms on average.

    Details: ``table``, ``rows`` (the planner's estimate), ``fingerprints``, ``text``, ``calls``.
    """
    for each in evidence.plans:
        if is_told(evidence, each):
            yield _finding(each, *_counted(each.plan.root))


def is_told(evidence: "Evidence", statement: "PlannedStatement") -> bool:
    """Whether a statement is worth a finding here."""
    if statement.kind != "request" or "count(" not in statement.text.lower():
        return False
    return _counted(statement.plan.root)[1] >= evidence.thresholds.scanned_rows


def _counted(node: Node) -> tuple[str, float]:
    """The table whose rows a plan counts, all into one number, and how many; 0 of another plan."""
    processes = 1.0
    if node.node_type != "Aggregate" or node.text("Group Key"):
        return "", 0.0
    while node.node_type in ("Aggregate", "Gather") and len(node.inputs) == 1:
        workers = node.number("Workers Planned")
        processes *= workers + max(0.0, 1 - 0.3 * workers)  # the leader has less time, as the planner sees it
        node = node.inputs[0]
    return (node.table, processes * (node.estimated_rows or 0.0)) if node.node_type in _SCANS else ("", 0.0)


def _finding(each: "PlannedStatement", table: str, rows: float) -> Finding:
    return Finding(
        rule=RULE,
        severity="warning" if each.total_ms >= _LONG_MS * each.calls else "info",
        subject=each.scope,
        what=f"{each.scope} counts about {rows:,.0f} rows of {table} each time",
        how_often=f"{each.calls:,} times",
        cost=f"{each.total_ms / each.calls:,.1f} ms a time, and more with every row that is added",
        cost_ms=each.total_ms,
        cure="page by key, which needs no total (LIMIT one more row than shown tells whether there is a next "
        "page); or keep the number: in the cache, or as an estimate (pg_class.reltuples)",
        location=each.location,
        query_location=each.location,
        details={
            "table": table,
            "rows": rows,
            "fingerprints": sorted(each.fingerprints),
            "text": abbreviate(each.text, max_chars=_SQL_CHARS),
            "calls": each.calls,
        },
    )
