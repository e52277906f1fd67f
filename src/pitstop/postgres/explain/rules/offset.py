"""Rows are computed and skipped by OFFSET."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.postgres.explain.finding import Finding
from pitstop.postgres.explain.judging import count, judge

if TYPE_CHECKING:
    from pitstop.postgres.explain.plan import Plan

__all__ = ["examine"]

RULE = "offset"
_MANY_ROWS = 1_000
_TIMES = 10


def examine(plan: "Plan") -> Iterable[Finding]:
    """One finding for each LIMIT that took 1,000 rows more, and ten times more, than it gave.

    Details: ``rows_skipped``, ``rows_given``.
    """
    for node in plan.nodes():
        if node.node_type != "Limit" or not node.inputs:
            continue
        taken, given = node.inputs[0].total_rows, node.total_rows
        skipped = taken - given
        if skipped < max(_MANY_ROWS, _TIMES * given):
            continue
        yield judge(
            plan,
            RULE,
            node,
            saving_ms=node.total_ms * skipped / taken,
            why=f"OFFSET skips {count(skipped, 'row')} to give {given:,.0f}; each page costs more "
            "than the one before",
            cure="page by key: WHERE (sort columns) > (those of the last row) ORDER BY ... LIMIT n, "
            "with an index in that order",
            rows_skipped=skipped,
            rows_given=given,
        )
