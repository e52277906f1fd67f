"""A large part of the execution is in none of the nodes and triggers."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.postgres.explain.finding import Finding
from pitstop.postgres.explain.judging import judge

if TYPE_CHECKING:
    from pitstop.postgres.explain.plan import Plan

__all__ = ["examine"]

RULE = "outside-nodes"
_SHARE = 0.3
_MANY_MS = 5.0


def examine(plan: "Plan") -> Iterable[Finding]:
    """One finding if a third of the execution, five milliseconds or more, is outside; JIT has its own rule.

    Details: ``outside_ms``.
    """
    if plan.execution_ms is None or not plan.has_times:
        return
    timing = plan.jit.get("Timing")
    jit = float(timing.get("Total") or 0.0) if isinstance(timing, dict) else 0.0
    outside = plan.execution_ms - plan.total_ms - sum(trigger.ms for trigger in plan.triggers) - jit
    if outside < max(_MANY_MS, _SHARE * plan.execution_ms):
        return
    yield judge(
        plan,
        RULE,
        "execution",
        saving_ms=outside,
        why=f"{outside:,.1f} ms of {plan.execution_ms:,.1f} ms are in no node: starting and ending "
        "the execution, "
        "opening many partitions, or waiting for the client",
        cure="plan fewer partitions and indexes, send fewer bytes to the client; compare with "
        "log_lock_waits and "
        "pg_stat_activity.wait_event while it runs",
        outside_ms=outside,
    )
