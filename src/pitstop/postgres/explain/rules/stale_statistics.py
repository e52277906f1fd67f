"""A whole table has another size than its statistics say."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.postgres.explain.finding import Finding
from pitstop.postgres.explain.judging import judge, quoted_table
from pitstop.postgres.explain.node import Node

if TYPE_CHECKING:
    from pitstop.postgres.explain.plan import Plan

__all__ = ["examine"]

RULE = "stale-statistics"
_FACTOR = 3.0
_MANY_ROWS = 1_000


def examine(plan: "Plan") -> Iterable[Finding]:
    """One finding for each table that was read whole and has three times the rows expected, or a third.

    Details: ``table``, ``estimated_rows``, ``rows``.
    """
    told: set[str] = set()
    for node in plan.nodes():
        if node.node_type != "Seq Scan" or node.text("Filter") or not node.loops or node.table in told:
            continue
        expected, got = node.estimated_rows, node.rows or 0.0
        if expected is None or max(expected, got) < _MANY_ROWS or _stopped(node, expected, got):
            continue
        if max(expected, 1.0) < _FACTOR * max(got, 1.0) and max(got, 1.0) < _FACTOR * max(expected, 1.0):
            continue
        told.add(node.table)
        yield judge(
            plan,
            RULE,
            node.table,
            saving_ms=0.0,
            why=f"{node.table} was taken to have {expected:,.0f} rows and has {got:,.0f}",
            cure=f"ANALYZE {quoted_table(node)}",
            node=plan.position(node),
            table=node.table,
            estimated_rows=expected,
            rows=got,
        )


def _stopped(node: Node, expected: float, got: float) -> bool:
    stoppers = ("Limit", "Merge Join", "Nested Loop")
    return got < expected and any(
        above.node_type in stoppers or above.text("Join Type") in ("Semi", "Anti") for above in node.above()
    )
