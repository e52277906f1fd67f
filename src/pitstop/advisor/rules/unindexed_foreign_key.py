"""Foreign keys without an index: every join along them and every delete of a parent reads the whole table."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.advisor.finding import Finding

if TYPE_CHECKING:
    from pitstop.advisor.evidence import Evidence

__all__ = ["examine"]

RULE = "unindexed-foreign-key"


def examine(evidence: "Evidence") -> Iterable[Finding]:
    """One finding for each foreign key whose columns lead no index of a not tiny table, advised ones counted.

    Details: ``table``, ``columns``, ``rows``, ``ddl``.
    """
    asked = evidence.indexes
    for key in evidence.catalog.unindexed_foreign_keys if evidence.catalog is not None else ():
        if asked is not None and any(asked.leads_with(each, key.ddl) for each in asked.indexes):
            continue
        yield Finding(
            rule=RULE,
            severity="warning",
            subject=f"{key.table}({', '.join(key.columns)})",
            what=f"the foreign key {key.name} has no index on {key.table}({', '.join(key.columns)})",
            how_often=f"{key.seq_scans:,} sequential scans of {key.table} so far",
            cost=f"each reads {key.rows:,} rows; a delete in {key.parent} does too",
            cost_ms=0.0,
            cure=key.ddl,
            details={"table": key.table, "columns": list(key.columns), "rows": key.rows, "ddl": key.ddl},
        )
