"""One scan descends an index very often: it skips over a leading column, or works through a long list."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.postgres.explain.conditions import read_conditions
from pitstop.postgres.explain.finding import Finding
from pitstop.postgres.explain.judging import count, index_ddl, judge

if TYPE_CHECKING:
    from pitstop.postgres.explain.plan import Plan

__all__ = ["examine"]

RULE = "index-searches"
_MANY = 30
_LIST = "join with unnest(...) of the list instead of = ANY, so that the list is looked up once"


def examine(plan: "Plan") -> Iterable[Finding]:
    """One finding for each index scan with 30 searches or more in one execution (PostgreSQL 18 tells them).

    Details: ``searches`` (of one execution).
    """
    for node in plan.nodes():
        searches = node.number("Index Searches") / max(node.loops or 1, 1)
        if searches < _MANY:
            continue
        conditions = read_conditions(node.text("Index Cond"))
        listed = any(each.operator.endswith("ANY") for each in conditions)
        yield judge(
            plan,
            RULE,
            node,
            saving_ms=node.self_ms * (1 - 1 / searches),
            why=f"one scan descends {node.index} {count(searches, 'time')}: "
            + ("once for each value of a list" if listed else "its first column is not in the condition"),
            cure=_LIST if listed else index_ddl(node, conditions) or _LIST,
            searches=searches,
        )
