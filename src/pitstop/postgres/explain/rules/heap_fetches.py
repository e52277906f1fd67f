"""An index-only scan had to look at the table all the same, because pages are not marked as all visible."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.postgres.explain.finding import Finding
from pitstop.postgres.explain.judging import count, judge, quoted_table

if TYPE_CHECKING:
    from pitstop.postgres.explain.plan import Plan

__all__ = ["examine"]

RULE = "heap-fetches"
_MANY = 1_000
_SHARE = 0.1


def examine(plan: "Plan") -> Iterable[Finding]:
    """One finding for each index-only scan that fetched 1,000 rows and a tenth of all from the table.

    Details: ``table``, ``heap_fetches``, ``rows``.
    """
    for node in plan.nodes():
        fetches = node.number("Heap Fetches")
        if node.node_type != "Index Only Scan" or fetches < max(_MANY, _SHARE * node.total_rows):
            continue
        yield judge(
            plan,
            RULE,
            node,
            saving_ms=node.self_ms * 0.7 * min(fetches / max(node.total_rows, 1.0), 1.0),
            why=f"for {count(node.total_rows, 'row')} {node.table} was visited {count(fetches, 'time')} "
            "to see whether they are visible",
            cure=f"VACUUM {quoted_table(node)}; where it changes much, lower its "
            "autovacuum_vacuum_scale_factor",
            table=node.table,
            heap_fetches=fetches,
            rows=node.total_rows,
        )
