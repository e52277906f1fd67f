"""Large tables that are read from end to end again and again."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.advisor.finding import Finding

if TYPE_CHECKING:
    from pitstop.advisor.evidence import Evidence

__all__ = ["examine"]

RULE = "sequential-scan"
_MANY_SCANS = 10


def examine(evidence: "Evidence") -> Iterable[Finding]:
    """One finding for each table above ``scanned_rows`` that was scanned often.

    Details: ``table``, ``rows``, ``seq_scans``, ``rows_read``.
    """
    for table in evidence.catalog.tables if evidence.catalog is not None else ():
        if table.rows >= evidence.thresholds.scanned_rows and table.seq_scans >= _MANY_SCANS:
            yield Finding(
                rule=RULE,
                severity="warning",
                subject=table.name,
                what=f"{table.name} is read from end to end",
                how_often=f"{table.seq_scans:,} sequential scans, {table.index_scans:,} index scans",
                cost=f"{table.seq_rows_read:,} rows read; the table has {table.rows:,}",
                cost_ms=0.0,
                cure=f"index the columns that statements on {table.name} filter or sort by",
                details={
                    "table": table.name,
                    "rows": table.rows,
                    "seq_scans": table.seq_scans,
                    "rows_read": table.seq_rows_read,
                },
            )
