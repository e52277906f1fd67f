"""An index is walked in the order of ORDER BY until LIMIT is full, past many rows that a filter removes."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.postgres.explain.conditions import read_conditions
from pitstop.postgres.explain.finding import Finding
from pitstop.postgres.explain.judging import count, feeds_limit, judge, quoted_table, removed_rows
from pitstop.postgres.explain.node import Node

if TYPE_CHECKING:
    from pitstop.postgres.explain.plan import Plan

__all__ = ["examine"]

RULE = "order-by-limit"
_MANY_ROWS = 1_000
_TIMES = 10


def examine(plan: "Plan") -> Iterable[Finding]:
    """One finding for each index scan below a LIMIT that removes 1,000 rows, ten times what it gives.

    Details: ``table``, ``rows_removed``, ``rows_given``.
    """
    for node in plan.nodes():
        removed, given = removed_rows(node), node.total_rows
        if node.node_type not in ("Index Scan", "Index Only Scan") or node.text("Index Cond"):
            continue
        if removed < max(_MANY_ROWS, _TIMES * given) or not feeds_limit(node):
            continue
        yield judge(
            plan,
            RULE,
            node,
            saving_ms=node.self_ms * removed / (removed + given),
            why=f"{node.index} gives the order, but {count(removed, 'row')} are passed by before "
            f"{given:,.0f} "
            f"fit {node.text('Filter')}",
            cure=_cure(node),
            table=node.table,
            rows_removed=removed,
            rows_given=given,
        )


def _cure(node: Node) -> str:
    columns = [each.column for each in read_conditions(node.text("Filter")) if each.is_equality]
    if not columns:
        return "an index that begins with the columns of the filter, then those of ORDER BY"
    leading = ", ".join(dict.fromkeys(columns))
    return f"CREATE INDEX CONCURRENTLY ON {quoted_table(node)} ({leading}, <columns of {node.index}>)"
