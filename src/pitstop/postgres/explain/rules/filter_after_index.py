"""An index finds many rows of which a filter then removes most: it lacks a column."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.postgres.explain.conditions import read_conditions
from pitstop.postgres.explain.finding import Finding
from pitstop.postgres.explain.judging import count, index_ddl, judge, removed_rows

if TYPE_CHECKING:
    from pitstop.postgres.explain.plan import Plan

__all__ = ["examine"]

RULE = "filter-after-index"
_SCANS = ("Index Scan", "Index Only Scan", "Bitmap Heap Scan")
_MANY_ROWS = 1_000
_KEPT = 0.5
_BY_HAND = "put the columns of the filter into the index, those with equality first"


def examine(plan: "Plan") -> Iterable[Finding]:
    """One finding for each index scan whose filter removes more than half of 1,000 rows or more.

    Details: ``table``, ``rows_found``, ``rows_kept``.
    """
    for node in plan.nodes():
        removed, kept = removed_rows(node), node.total_rows
        searched = node.text("Index Cond") or node.text("Recheck Cond")
        if node.node_type not in _SCANS or not searched or removed + kept < _MANY_ROWS:
            continue
        if kept >= _KEPT * (removed + kept):
            continue
        conditions = read_conditions(searched) + read_conditions(node.text("Filter"))
        yield judge(
            plan,
            RULE,
            node,
            saving_ms=node.self_ms * removed / (removed + kept),
            why=f"the index finds {count(removed + kept, 'row')}, the filter {node.text('Filter')} "
            f"keeps {kept:,.0f}",
            cure=index_ddl(node, conditions) or _BY_HAND,
            table=node.table,
            rows_found=removed + kept,
            rows_kept=kept,
        )
