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

    An info where no row of the parent was deleted and the index advisor saw no statement that gains.
    Details: ``table``, ``columns``, ``rows``, ``ddl``, ``parent_deletes``.
    """
    asked = evidence.indexes
    for key in evidence.catalog.unindexed_foreign_keys if evidence.catalog is not None else ():
        if asked is not None and any(asked.leads_with(each, key.ddl) for each in asked.indexes):
            continue
        is_used = key.parent_deletes or asked is None or asked.advice is None
        yield Finding(
            rule=RULE,
            severity="warning" if is_used else "info",
            subject=f"{key.table}({', '.join(key.columns)})",
            what=f"the foreign key {key.name} has no index on {key.table}({', '.join(key.columns)})",
            how_often=f"{key.parent_deletes:,} rows were deleted from {key.parent} so far, and "
            f"{key.table} was read whole {key.seq_scans:,} times",
            cost=f"each delete in {key.parent}, and each look-up along the key, reads {key.rows:,} rows",
            cost_ms=0.0,
            cure=key.ddl,
            details={
                "table": key.table,
                "columns": list(key.columns),
                "rows": key.rows,
                "ddl": key.ddl,
                "parent_deletes": key.parent_deletes,
            },
        )
