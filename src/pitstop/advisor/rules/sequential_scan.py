"""Large tables that are read from end to end again and again."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.advisor.finding import Finding, Severity
from pitstop.advisor.rules import counted_table, poor_plan
from pitstop.postgres import abbreviate

if TYPE_CHECKING:
    from pitstop.advisor.evidence import Evidence
    from pitstop.advisor.indexes.observed import Gain
    from pitstop.postgres.catalog import Table

__all__ = ["examine"]

RULE = "sequential-scan"
_MANY_SCANS = 10
_SQL_CHARS = 110
_CURE = (
    "index the columns that statements on {} filter or sort by: "
    "pitstop indexes says which, pitstop plan and pitstop apply make them"
)
_USELESS = "no index would spare it: ask for fewer rows, count less often, or keep the answer: {}"
_PAST = (
    "nothing, unless it goes on: no observed statement reads it whole as the database is now; "
    "the scans are older, or of statements that were not observed"
)


def examine(evidence: "Evidence") -> Iterable[Finding]:
    """One finding for each table above ``scanned_rows`` that was scanned often.

    Where the index advisor was asked, what an advised index cures is left to ``missing-index``, and what
    another statement cures to ``poor-plan`` and ``counted-table``.

    Details: ``table``, ``rows``, ``seq_scans``, ``rows_read``; ``statements`` that go on to scan it.
    """
    asked = evidence.indexes
    elsewhere = {
        each.text
        for each in evidence.plans
        if poor_plan.told(evidence, each) or counted_table.is_told(evidence, each)
    }
    for table in evidence.catalog.tables if evidence.catalog is not None else ():
        if table.rows < evidence.thresholds.scanned_rows or table.seq_scans < _MANY_SCANS:
            continue
        if asked is None or asked.advice is None:
            yield _finding(table, "warning", _CURE.format(table.name))
        elif left := [each for each in asked.left(table.qualified_name) if each.text not in elsewhere]:
            yield _finding(
                table, "warning", _USELESS.format(abbreviate(left[0].text, max_chars=_SQL_CHARS)), left
            )
        elif not asked.scans.get(table.qualified_name):
            yield _finding(table, "info", _PAST)


def _finding(table: "Table", severity: Severity, cure: str, left: "Iterable[Gain]" = ()) -> Finding:
    statements = list(left)
    return Finding(
        rule=RULE,
        severity=severity,
        subject=table.name,
        what=f"{table.name} is read from end to end",
        how_often=f"{table.seq_scans:,} sequential scans, {table.index_scans:,} index scans",
        cost=f"{table.seq_rows_read:,} rows read; the table has {table.rows:,}",
        cost_ms=sum(each.total_ms for each in statements),
        cure=cure,
        location=statements[0].location if statements else None,
        details={
            "table": table.name,
            "rows": table.rows,
            "seq_scans": table.seq_scans,
            "rows_read": table.seq_rows_read,
            "statements": [abbreviate(each.text, max_chars=_SQL_CHARS) for each in statements],
        },
    )
