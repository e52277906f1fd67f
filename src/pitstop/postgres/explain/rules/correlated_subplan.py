"""A subquery is executed anew for each row."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.postgres.explain.finding import Finding
from pitstop.postgres.explain.judging import count, judge

if TYPE_CHECKING:
    from pitstop.postgres.explain.plan import Plan

__all__ = ["examine"]

RULE = "correlated-subplan"
_MANY_LOOPS = 100
_SHARE = 0.1


def examine(plan: "Plan") -> Iterable[Finding]:
    """One finding for each SubPlan that runs 100 times or more and takes a tenth of the time.

    Details: ``loops``, ``subplan_ms``.
    """
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
            cure="LEFT JOIN a subquery that is grouped by the column of correlation, or write "
            "EXISTS for a test; "
            "a LATERAL join with an index on that column where only a few rows are wanted",
            loops=node.loops,
            subplan_ms=node.total_ms,
        )
