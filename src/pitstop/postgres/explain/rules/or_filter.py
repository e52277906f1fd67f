"""Conditions joined by OR keep a table from being searched by index."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.postgres.explain.conditions import read_conditions, split_top
from pitstop.postgres.explain.finding import Finding
from pitstop.postgres.explain.judging import count, index_ddl, judge, removed_rows
from pitstop.postgres.explain.node import Node

if TYPE_CHECKING:
    from pitstop.postgres.explain.plan import Plan

__all__ = ["examine"]

RULE = "or-filter"
_MANY_ROWS = 1_000
_KEPT = 0.1
_UNION = "write one SELECT for each side of OR and join them by UNION"


def examine(plan: "Plan") -> Iterable[Finding]:
    """One finding for each scan or join whose OR keeps less than a tenth of 1,000 rows or more.

    Details: ``condition``, ``rows_removed``, ``rows_kept``.
    """
    for node in plan.nodes():
        name = "Filter" if node.node_type == "Seq Scan" else "Join Filter"
        sides = split_top(node.text(name), "OR")
        removed, kept = removed_rows(node, name), node.total_rows
        if len(sides) < 2 or removed + kept < _MANY_ROWS or kept >= _KEPT * (removed + kept):
            continue
        yield judge(
            plan,
            RULE,
            node,
            saving_ms=node.self_ms * removed / (removed + kept),
            why=f"{count(removed + kept, 'row')} are looked at for {node.text(name)}, {kept:,.0f} kept",
            cure=_cure(node, sides),
            condition=node.text(name),
            rows_removed=removed,
            rows_kept=kept,
        )


def _cure(node: Node, sides: list[str]) -> str:
    indexes = dict.fromkeys(index_ddl(node, read_conditions(side)) for side in sides)
    if node.node_type == "Seq Scan" and all(indexes):
        return f"an index for each side, which PostgreSQL combines: {'; '.join(indexes)}"
    return _UNION
