"""Triggers take a large part of a write; for a foreign key most often because its column has no index."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.postgres.explain.finding import Finding
from pitstop.postgres.explain.judging import count, judge

if TYPE_CHECKING:
    from pitstop.postgres.explain.plan import Plan

__all__ = ["examine"]

RULE = "trigger-time"
_SHARE = 0.1
_OTHER = "do its work once for the statement (FOR EACH STATEMENT with transition tables), or outside of it"


def examine(plan: "Plan") -> Iterable[Finding]:
    """One finding for each trigger with a tenth of the time or more.

    Details: ``constraint``, ``calls``, ``trigger_ms``.
    """
    for trigger in plan.triggers:
        if not trigger.ms or trigger.ms < _SHARE * plan.whole_ms:
            continue
        yield judge(
            plan,
            RULE,
            trigger.constraint or trigger.name,
            saving_ms=trigger.ms,
            why=f"{count(trigger.calls, 'call')} took {trigger.ms:,.1f} ms of {plan.whole_ms:,.1f} ms",
            cure=_foreign_key(trigger.constraint) if trigger.constraint else _OTHER,
            constraint=trigger.constraint,
            calls=trigger.calls,
            trigger_ms=trigger.ms,
        )


def _foreign_key(constraint: str) -> str:
    return (
        f"index the columns of the foreign key {constraint} on the table that refers (pg_constraint "
        "tells both): "
        "CREATE INDEX CONCURRENTLY ON that_table (its_columns)"
    )
