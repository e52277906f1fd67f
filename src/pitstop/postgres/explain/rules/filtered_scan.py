"""A table is read from end to end and most of its rows are thrown away: an index is missing."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.postgres.explain.conditions import Condition, read_conditions, split_top
from pitstop.postgres.explain.finding import Finding
from pitstop.postgres.explain.judging import count, feeds_limit, index_ddl, judge, removed_rows, weight
from pitstop.postgres.explain.node import Node

if TYPE_CHECKING:
    from pitstop.postgres.explain.plan import Plan

__all__ = ["examine"]

RULE = "filtered-scan"
_MANY_ROWS = 1_000
_KEPT = 0.1
_COST_OF_SEARCH, _COST_OF_ROW = 20.0, 2.0  # of an index, half of the pages being in the cache
_BY_HAND = "index the columns of the filter that leave the fewest rows"


def examine(plan: "Plan") -> Iterable[Finding]:
    """One finding for each scan of a whole table that keeps less than a tenth of 1,000 rows or more.

    Without ``ANALYZE`` for one that costs twice what an index would to bring the rows expected. Details:
    ``table``, ``rows_read`` (None without ``ANALYZE``), ``rows_kept``.
    """
    if not plan.is_analyzed:
        yield from _examine_estimates(plan)
        return
    for scans in _together(plan):
        node = scans[0]
        kept = sum(each.total_rows for each in scans)
        read = kept + sum(removed_rows(each) for each in scans)
        if read < _MANY_ROWS or kept >= _KEPT * read or not _is_ours(node):
            continue
        more = f" and {count(len(scans) - 1, 'partition')} more" if len(scans) > 1 else ""
        yield judge(
            plan,
            RULE,
            node,
            saving_ms=sum(each.self_ms for each in scans) * (read - kept) / read,
            why=f"{count(read, 'row')} of {node.table}{more} read from end to end, {kept:,.0f} kept: "
            f"no index serves {node.text('Filter')}",
            cure=(_index(node) or _BY_HAND) + (", the same on the partitioned table" if more else ""),
            table=node.table,
            rows_read=read,
            rows_kept=kept,
        )


def _together(plan: "Plan") -> list[list[Node]]:
    """The scans with a filter, those of partitions in one."""
    found: dict[tuple[Node | None, str], list[Node]] = {}
    for node in plan.nodes():
        if _reads_all(node) and node.text("Filter"):
            above = node.parent if node.parent is not None and "Append" in node.parent.node_type else node
            found.setdefault((above, node.text("Filter") if above is not node else ""), []).append(node)
    return list(found.values())


def _reads_all(node: Node) -> bool:
    """Whether it goes through the whole table, or in its order through a whole index."""
    if node.node_type in ("Index Scan", "Index Only Scan"):
        return not node.text("Index Cond") and not feeds_limit(node)
    return node.node_type == "Seq Scan"


def _is_ours(node: Node) -> bool:
    """Whether no other rule says more: of repeated scans, OR, NOT IN, wrapped columns, sorts for LIMIT."""
    text = node.text("Filter")
    conditions = read_conditions(text)
    if (node.loops or 0) > node.processes or "SubPlan" in text or len(split_top(text, "OR")) > 1:
        return False
    above = node.parent
    if above is not None and above.text("Sort Method") == "top-N heapsort" and node.total_rows >= _MANY_ROWS:
        return not any(each.is_equality for each in conditions)
    return not _is_wrapped(conditions)


def _is_wrapped(conditions: list[Condition]) -> bool:
    return bool(conditions) and all(each.wrapped for each in conditions)


def _examine_estimates(plan: "Plan") -> Iterable[Finding]:
    for node in plan.nodes():
        expected = node.estimated_rows
        if node.node_type != "Seq Scan" or not node.text("Filter") or expected is None:
            continue
        by_index = _COST_OF_SEARCH + expected * _COST_OF_ROW
        if weight(plan, node) < _KEPT or 2 * by_index > node.total_cost or not _index(node):
            continue
        if _is_wrapped(read_conditions(node.text("Filter"))):
            continue
        yield judge(
            plan,
            RULE,
            node,
            saving_ms=0.0,
            why=f"{node.table} is to be read from end to end for {count(expected, 'row')}, "
            f"at a cost of {node.total_cost:,.0f}: no index serves {node.text('Filter')}",
            cure=_index(node),
            table=node.table,
            rows_read=None,
            rows_kept=expected,
        )


def _index(node: Node) -> str:
    return index_ddl(node, read_conditions(node.text("Filter")))
