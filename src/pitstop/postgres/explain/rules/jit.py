"""Just-in-time compilation takes a large part of a statement that is too short for it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.postgres.explain.finding import Finding
from pitstop.postgres.explain.judging import judge

if TYPE_CHECKING:
    from pitstop.postgres.explain.plan import Plan

__all__ = ["examine"]

RULE = "jit"
_SHARE = 0.1


def examine(plan: "Plan") -> Iterable[Finding]:
    """One finding if compilation took a tenth of the time or more.

    Details: ``jit_ms``, ``functions``.
    """
    timing = plan.jit.get("Timing")
    total = float(timing.get("Total") or 0.0) if isinstance(timing, dict) else 0.0
    if not total or total < _SHARE * plan.whole_ms:
        return
    yield judge(
        plan,
        RULE,
        "JIT",
        saving_ms=total,
        why=f"just-in-time compilation took {total:,.1f} ms of {plan.whole_ms:,.1f} ms",
        cure="SET jit = off for short statements, or raise jit_above_cost",
        jit_ms=total,
        functions=plan.jit.get("Functions", 0),
    )
