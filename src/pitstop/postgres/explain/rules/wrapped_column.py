"""A condition compares a column inside a function or cast, so that an index on the column cannot serve it."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.postgres.explain.conditions import Condition, read_conditions
from pitstop.postgres.explain.finding import Finding
from pitstop.postgres.explain.judging import judge, quoted_table, removed_rows, weight
from pitstop.postgres.explain.node import Node

if TYPE_CHECKING:
    from pitstop.postgres.explain.plan import Plan

__all__ = ["examine"]

RULE = "wrapped-column"
_MANY_ROWS = 1_000
_SHARE = 0.1
_OF_TIME = ("date(", "date_trunc(", "EXTRACT(", "date_part(", "to_char(")  # not immutable of a timestamptz
_PARAMETER = re.compile(r"\$\d")


def examine(plan: "Plan") -> Iterable[Finding]:
    """One finding for each filter on a wrapped column that removes 1,000 rows; without times, by its cost.

    Details: ``table``, ``expression``, ``column``.
    """
    for node in plan.nodes():
        wrapped = [each for each in read_conditions(node.text("Filter")) if each.wrapped and each.inner]
        if not node.table or not wrapped or weight(plan, node) < _SHARE:
            continue
        removed = removed_rows(node)
        if plan.is_analyzed and removed < _MANY_ROWS:
            continue
        condition = wrapped[0]
        yield judge(
            plan,
            RULE,
            node,
            saving_ms=node.self_ms * removed / max(removed + node.total_rows, 1.0),
            why=f"the condition compares {condition.column}, which no index on {condition.inner} serves",
            cure=_cure(node, condition),
            table=node.table,
            expression=condition.column,
            column=condition.inner,
        )


def _cure(node: Node, condition: Condition) -> str:
    if condition.wrapped == "cast":
        return f"compare {condition.inner} itself, with a value of its own type or with a range"
    if condition.column.startswith(_OF_TIME):
        inner = condition.inner
        return f"compare {inner} itself with a range: {inner} >= ... AND {inner} < ..."
    if _PARAMETER.search(condition.column):
        return (
            "write the parameters inside of the expression as literals (in SQLAlchemy by literal_column()): "
            "an index serves an expression only where nothing of it but columns is open; then pitstop "
            "indexes says which"
        )
    return f"CREATE INDEX CONCURRENTLY ON {quoted_table(node)} ({condition.column})"
