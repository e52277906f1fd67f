"""The planner expected another number of rows, ten times and more, and chose what is above by that."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.postgres.explain.conditions import Condition, read_conditions
from pitstop.postgres.explain.estimates import estimate_factor
from pitstop.postgres.explain.finding import Finding
from pitstop.postgres.explain.judging import judge, quoted_table
from pitstop.postgres.explain.node import Node

if TYPE_CHECKING:
    from pitstop.postgres.explain.plan import Plan

__all__ = ["examine"]

RULE = "misestimate"
_FACTOR = 10.0
_MANY_ROWS = 1_000
_JOIN = (
    "ANALYZE both tables; where columns of a join depend on each other, materialise the smaller side first"
)


def examine(plan: "Plan") -> Iterable[Finding]:
    """One finding for each lowest node whose rows are ten times off and 1,000 or more, below a join or sort.

    Details: ``estimated_rows``, ``rows`` (of one execution), ``factor``.
    """
    for node in plan.nodes():
        factor = estimate_factor(node)
        if (
            factor < _FACTOR
            or _is_whole_table(node)
            or any(estimate_factor(child) >= _FACTOR for child in node.inputs)
        ):
            continue
        if not _is_large(node) or not _matters(node):
            continue
        expected, got = node.estimated_rows or 0.0, node.rows or 0.0
        yield judge(
            plan,
            RULE,
            node,
            saving_ms=_saving(node),
            why=f"{expected:,.0f} rows were expected, {got:,.0f} came: {factor:,.0f} times "
            + ("more" if got > expected else "fewer"),
            cure=_cure(node),
            estimated_rows=expected,
            rows=got,
            factor=factor,
        )


def _is_whole_table(node: Node) -> bool:
    """Whether the statistics of the table are stale, which is a rule of its own."""
    return node.node_type == "Seq Scan" and not node.text("Filter")


def _is_large(node: Node) -> bool:
    return max(node.estimated_rows or 0.0, node.rows or 0.0) * (node.loops or 0) >= _MANY_ROWS


def _matters(node: Node) -> bool:
    return any(above.is_join or above.node_type in ("Sort", "Aggregate", "Hash") for above in node.above())


def _saving(node: Node) -> float:
    """Half of what the nested loops above repeated because of it."""
    if (node.rows or 0.0) < (node.estimated_rows or 0.0):
        return 0.0
    below, found = node, 0.0
    for above in node.above():
        if above.node_type == "Nested Loop" and above.inner is not None and above.inner is not below:
            found = max(found, above.inner.total_ms / 2)
        below = above
    return found


def _cure(node: Node) -> str:
    text = node.text("Filter") or node.text("Recheck Cond") or node.text("Index Cond")
    conditions = read_conditions(text)
    if node.node_type == "Function Scan":
        return f"ALTER FUNCTION {node.text('Function Name')} ROWS {max(node.rows or 1.0, 1.0):.0f}"
    if not node.table:
        return _JOIN
    return _statistics(quoted_table(node), conditions)


def _statistics(table: str, conditions: list[Condition]) -> str:
    wrapped = [each.column for each in conditions if each.wrapped]
    if wrapped:
        return f"CREATE STATISTICS ON {_parenthesised(wrapped[0])} FROM {table}; ANALYZE {table}"
    columns = list(dict.fromkeys(each.column for each in conditions))
    if len(columns) > 1:
        return f"CREATE STATISTICS ON {', '.join(columns)} FROM {table}; ANALYZE {table}"
    if columns:
        return f"ALTER TABLE {table} ALTER COLUMN {columns[0]} SET STATISTICS 1000; ANALYZE {table}"
    return f"ANALYZE {table}"


def _parenthesised(expression: str) -> str:
    return expression if expression.startswith("(") else f"({expression})"
