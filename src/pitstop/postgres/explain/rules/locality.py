"""An index finds rows that lie far apart: each costs a page of the table."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.postgres.explain.finding import Finding
from pitstop.postgres.explain.judging import count, judge, removed_rows

if TYPE_CHECKING:
    from pitstop.postgres.explain.plan import Plan

__all__ = ["examine"]

RULE = "locality"
_MANY_ROWS = 1_000
_PAGES_A_ROW = 0.8


def examine(plan: "Plan") -> Iterable[Finding]:
    """One finding for each index scan of 1,000 rows or more that touches a page for almost each.

    Details: ``table``, ``pages``, ``rows``.
    """
    for node in plan.nodes():
        pages = node.own_number("Shared Hit Blocks") + node.own_number("Shared Read Blocks")
        found = node.total_rows + removed_rows(node)
        if node.node_type != "Index Scan" or found < _MANY_ROWS * (node.loops or 1):
            continue
        if pages < _PAGES_A_ROW * found:
            continue
        yield judge(
            plan,
            RULE,
            node,
            saving_ms=node.self_ms / 2,
            why=f"{count(found, 'row')} took {count(pages, 'page')}: in {node.table} they lie far apart",
            cure=f"put the columns that are read into the index (INCLUDE) for an index-only scan, or CLUSTER "
            f"{node.text('Relation Name')} USING {node.index} in a quiet hour",
            table=node.table,
            pages=pages,
            rows=found,
        )
