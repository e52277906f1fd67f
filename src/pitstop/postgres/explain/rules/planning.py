"""Planning takes longer than the execution."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.postgres.explain.finding import Finding
from pitstop.postgres.explain.judging import judge

if TYPE_CHECKING:
    from pitstop.postgres.explain.plan import Plan

__all__ = ["examine"]

RULE = "planning"
_MANY_MS = 5.0


def examine(plan: "Plan") -> Iterable[Finding]:
    """One finding if planning took five milliseconds and more than the execution.

    Details: ``planning_ms``, ``execution_ms``.
    """
    planning, execution = plan.planning_ms or 0.0, plan.execution_ms
    if execution is None or planning < max(_MANY_MS, execution):
        return
    yield judge(
        plan,
        RULE,
        "planning",
        saving_ms=planning,
        why=f"planning took {planning:,.1f} ms, the execution {execution:,.1f} ms",
        cure="run it as a prepared statement (the drivers do after some executions, not behind a "
        "PgBouncer that "
        "forbids it), filter by the partition key so that fewer partitions are planned, or join fewer tables",
        planning_ms=planning,
        execution_ms=execution,
    )
