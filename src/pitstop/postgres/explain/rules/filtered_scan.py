"""A table is read from end to end and most of its rows are thrown away: an index is missing."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.postgres.explain.conditions import read_conditions, split_top
from pitstop.postgres.explain.finding import Finding
from pitstop.postgres.explain.judging import count, index_ddl, judge, removed_rows
from pitstop.postgres.explain.node import Node

if TYPE_CHECKING:
    from pitstop.postgres.explain.plan import Plan

__all__ = ["examine"]

RULE = "filtered-scan"
_MANY_ROWS = 1_000
_KEPT = 0.1
_BY_HAND = "index the columns of the filter that leave the fewest rows"


def examine(plan: "Plan") -> Iterable[Finding]:
    """One finding for each sequential scan that keeps less than a tenth of 1,000 rows or more.

    Details: ``table``, ``rows_read``, ``rows_kept``.
    """
    for node in plan.nodes():
        removed, kept = removed_rows(node), node.total_rows
        read = removed + kept
        if node.node_type != "Seq Scan" or read < _MANY_ROWS or kept >= _KEPT * read:
            continue
        if (node.loops or 0) > node.processes or len(split_top(node.text("Filter"), "OR")) > 1:
            continue  # the rules for repeated scans and for OR say more
        yield judge(
            plan,
            RULE,
            node,
            saving_ms=node.self_ms * removed / read,
            why=f"{count(read, 'row')} of {node.table} read from end to end, {kept:,.0f} kept: "
            f"no index serves {node.text('Filter')}",
            cure=_index(node) or _BY_HAND,
            table=node.table,
            rows_read=read,
            rows_kept=kept,
        )


def _index(node: Node) -> str:
    return index_ddl(node, read_conditions(node.text("Filter")))
