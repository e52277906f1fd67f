"""A subquery is executed anew for each row."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.postgres.explain.estimates import fetched_share
from pitstop.postgres.explain.finding import Finding
from pitstop.postgres.explain.judging import count, judge
from pitstop.postgres.explain.node import Node

if TYPE_CHECKING:
    from pitstop.postgres.explain.plan import Plan

__all__ = ["examine"]

RULE = "correlated-subplan"
_MANY_LOOPS = 100
_SHARE = 0.1
_NEGATED = re.compile(r"NOT \(|<> ALL \(")  # the rule not-in tells of these
_CONDITIONS = ("Filter", "Join Filter", "One-Time Filter", "Index Cond", "Recheck Cond", "Hash Cond")
_CURE = (
    "LEFT JOIN a subquery that is grouped by the column of correlation, or write EXISTS for a test; "
    "a LATERAL join with an index on that column where only a few rows are wanted"
)


def examine(plan: "Plan") -> Iterable[Finding]:
    """One finding for each SubPlan that runs 100 times or more and takes a tenth of the time.

    Without ``ANALYZE`` one for each node whose SubPlans are to run so often and to cost so much. Details:
    ``loops``, ``subplan_ms`` (None without ``ANALYZE``).
    """
    if not plan.is_analyzed:
        yield from _examine_estimates(plan)
        return
    for node in plan.nodes():
        if node.place != "SubPlan" or (node.loops or 0) < _MANY_LOOPS * node.processes:
            continue
        if node.total_ms < _SHARE * plan.total_ms:
            continue
        yield judge(
            plan,
            RULE,
            node,
            saving_ms=node.total_ms * (1 - 1 / (node.loops or 1)),
            why=f"{node.text('Subplan Name')} runs {count(node.loops or 0, 'time')}, once for each row",
            cure=_CURE,
            loops=node.loops,
            subplan_ms=node.total_ms,
        )


def _examine_estimates(plan: "Plan") -> Iterable[Finding]:
    for node in plan.nodes():
        by_row = _run_by_row(node)
        once = sum(each.total_cost for each in by_row)
        spent = _own_cost(node) * fetched_share(node)
        if not once or spent < max(_MANY_LOOPS * once, _SHARE * plan.root.total_cost):
            continue
        dearest = max(by_row, key=lambda each: each.total_cost)
        yield judge(
            plan,
            RULE,
            node,
            saving_ms=0.0,
            why=f"{dearest.text('Subplan Name')} ({dearest.label}) is to run about "
            f"{count(spent / once, 'time')}, once for each row, at a cost of {dearest.total_cost:,.0f} each",
            cure=_CURE,
            loops=spent / once,
            subplan_ms=None,
        )


def _run_by_row(node: Node) -> list[Node]:
    """The subqueries of a node that are executed for each row; others are kept in a hash table.

    Where one stands in what a node gives, the plan does not say which: the costs tell.
    """
    subplans = [each for each in node.children if each.place == "SubPlan"]
    texts = " ".join(node.text(name) for name in _CONDITIONS)
    if not subplans or _NEGATED.search(texts) or "alternatives: " in texts:
        return []
    found = [each for each in subplans if f"hashed {each.text('Subplan Name')}" not in texts]
    if any(re.search(rf"{each.text('Subplan Name')}\b", texts) for each in found):
        return found
    once = sum(each.total_cost for each in found)
    return found if _own_cost(node) >= once * (node.estimated_rows or 0.0) / 2 else []


def _own_cost(node: Node) -> float:
    return node.total_cost - sum(child.total_cost for child in node.inputs)
