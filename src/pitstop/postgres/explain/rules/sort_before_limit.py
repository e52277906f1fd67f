"""Many rows are sorted to keep a few: an index in that order would stop after these."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.postgres.explain.conditions import read_conditions
from pitstop.postgres.explain.estimates import limit_above
from pitstop.postgres.explain.finding import Finding
from pitstop.postgres.explain.judging import count, index_ddl, judge
from pitstop.postgres.explain.node import Node

if TYPE_CHECKING:
    from pitstop.postgres.explain.plan import Plan

__all__ = ["examine"]

RULE = "sort-before-limit"
_MANY_ROWS = 1_000
_TIMES = 10
_BY_HAND = "an index of one table, first columns of its filter, then those of ORDER BY, lets LIMIT stop early"
_COLUMN = re.compile(
    r'(?:(?:"[^"]+"|\w+)\.)*(?P<column>"[^"]+"|\w+)(?P<how>(?: DESC| NULLS FIRST| NULLS LAST)*)'
)


def examine(plan: "Plan") -> Iterable[Finding]:
    """One finding for each top-N sort of 1,000 rows or more, ten times as many as it keeps.

    Without ``ANALYZE`` one where so many rows of one table are expected and an index could have the order.
    Details: ``rows_sorted``, ``rows_kept``, ``sort_key``.
    """
    if not plan.is_analyzed:
        yield from _examine_estimates(plan)
        return
    for node in plan.nodes():
        if node.node_type != "Sort" or node.text("Sort Method") != "top-N heapsort" or not node.inputs:
            continue
        source, kept = node.inputs[0], node.total_rows
        if source.total_rows < max(_MANY_ROWS, _TIMES * kept):
            continue
        read = source.self_ms if source.table else 0.0
        yield judge(
            plan,
            RULE,
            node,
            saving_ms=(node.self_ms + read) * (1 - kept / source.total_rows),
            why=f"{count(source.total_rows, 'row')} read and sorted by {node.text('Sort Key')} to "
            f"keep {kept:,.0f}",
            cure=_index(node, source) or _BY_HAND,
            rows_sorted=source.total_rows,
            rows_kept=kept,
            sort_key=node.text("Sort Key"),
        )


def _examine_estimates(plan: "Plan") -> Iterable[Finding]:
    for node in plan.nodes():
        limit = limit_above(node) if node.node_type == "Sort" and node.inputs else None
        if limit is None:
            continue
        source, kept = node.inputs[0], limit.estimated_rows or 1.0
        expected = source.estimated_rows or 0.0
        index = _index(node, source)
        if not index or expected < max(_MANY_ROWS, _TIMES * kept):
            continue
        yield judge(
            plan,
            RULE,
            node,
            saving_ms=0.0,
            why=f"about {count(expected, 'row')} are to be read and sorted by {node.text('Sort Key')} to "
            f"keep {kept:,.0f}",
            cure=index,
            rows_sorted=expected,
            rows_kept=kept,
            sort_key=node.text("Sort Key"),
        )


def _index(node: Node, source: Node) -> str:
    keys = [_COLUMN.fullmatch(key) for key in node.text("Sort Key").split(", ")]
    if not source.table or not all(keys):
        return ""
    order = [f"{key['column']}{key['how']}" for key in keys if key]
    text = source.text("Filter") or source.text("Recheck Cond") or source.text("Index Cond")
    equal = [each for each in read_conditions(text) if each.is_equality and not each.operator.endswith("ANY")]
    return index_ddl(source, equal, order=order)
