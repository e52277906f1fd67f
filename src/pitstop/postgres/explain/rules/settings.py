"""The plan was made under settings that forbid the planner its usual choices."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.postgres.explain.finding import Finding
from pitstop.postgres.explain.judging import judge

if TYPE_CHECKING:
    from pitstop.postgres.explain.plan import Plan

__all__ = ["examine"]

RULE = "settings"
_FORCING = (
    "from_collapse_limit",
    "join_collapse_limit",
    "geqo",
    "force_parallel_mode",
    "debug_parallel_query",
)


def examine(plan: "Plan") -> Iterable[Finding]:
    """One finding for each setting that switches a way of executing off or forces one.

    ``EXPLAIN (SETTINGS)`` tells them; sizes and costs unlike their default are none. Details: ``value``.
    """
    for name, value in plan.settings.items():
        forbids = name.startswith("enable_") and value == "off"
        if forbids or name in _FORCING:
            yield judge(
                plan,
                RULE,
                name,
                saving_ms=0.0,
                why=f"{name} is {value}: the planner could not choose freely",
                cure=f"RESET {name}, and look for it in the role's, the database's and the pool's settings",
                value=value,
            )
