"""Fewer parallel workers came than were planned."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.postgres.explain.finding import Finding
from pitstop.postgres.explain.judging import count, judge

if TYPE_CHECKING:
    from pitstop.postgres.explain.plan import Plan

__all__ = ["examine"]

RULE = "workers-missing"


def examine(plan: "Plan") -> Iterable[Finding]:
    """One finding for each Gather with fewer workers launched than planned.

    Details: ``planned``, ``launched``.
    """
    for node in plan.nodes():
        planned, launched = node.number("Workers Planned"), node.number("Workers Launched")
        if "Workers Launched" not in node.properties or launched >= planned or not node.loops:
            continue
        yield judge(
            plan,
            RULE,
            node,
            saving_ms=node.total_ms * (1 - (launched + 1) / (planned + 1)),
            why=f"{count(planned, 'worker')} planned, {launched:,.0f} launched",
            cure="raise max_parallel_workers and max_worker_processes to what runs at once, or lower "
            "max_parallel_workers_per_gather so that plans count on fewer",
            planned=planned,
            launched=launched,
        )
