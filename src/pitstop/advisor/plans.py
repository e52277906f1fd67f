"""The plans of the statements that take the most time, as the planner makes them today."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pitstop.advisor.finding import Location
from pitstop.advisor.indexes.workload import is_asked, planned_text
from pitstop.advisor.skew import Skew, find_skews
from pitstop.errors import PlanError
from pitstop.postgres.explain import Plan
from pitstop.postgres.explain.asking import Asker, open_asker
from pitstop.postgres.fingerprint import fingerprint
from pitstop.postgres.statements import StatementStats
from pitstop.store import Observations, StatementTotals

__all__ = ["PlannedStatement", "plan_observed"]

_MOST_STATEMENTS = 30
_MOST_S = 20.0
_ONE_S = 5.0


@dataclass(frozen=True, slots=True)
class PlannedStatement:
    """A SELECT that was observed, and its plan.

    Attributes:
        text: SQL, its parameters written ``$1``.
        plan: generic where there are parameters; nothing was executed for it.
        calls, total_ms, rows: executions that were observed, milliseconds in and rows of all of them.
        skews: parameters that one plan cannot fit.
        fingerprints: of the forms it was observed in.
        kind, scope, location: what ran it (``"request"``), its name and the line that took most of it;
            empty and None where only the server counted it.
    """

    text: str
    plan: Plan
    calls: int
    total_ms: float
    fingerprints: frozenset[str]
    kind: str = ""
    scope: str = ""
    location: Location | None = None
    rows: int = 0
    skews: tuple[Skew, ...] = ()


def plan_observed(
    url: str, observations: Observations, counted: Iterable[StatementStats] = ()
) -> tuple[PlannedStatement, ...]:
    """Ask a database for the plans of the 30 SELECTs that took the most time; nothing is executed.

    A statement that the server cannot plan is left out, and so is what would take longer than 20 seconds.

    Args:
        url: ``postgresql://...``, with or without a driver name.
        observations: what ``pitstop run`` or ``Pitstop(app)`` recorded.
        counted: of ``pg_stat_statements``; they are asked for where nothing was recorded.

    Raises:
        ServerNotFound: nobody answers at the address.
    """
    found: dict[str, list[StatementTotals | StatementStats]] = {}
    for each in observations.statements.values() or counted:
        if is_asked(each) and fingerprint(each.text).verb in ("select", "with"):
            found.setdefault(planned_text(each), []).append(each)
    slowest = sorted(found.items(), key=lambda item: -_total_ms(item[1]))[:_MOST_STATEMENTS]
    until = time.monotonic() + _MOST_S
    planned: list[PlannedStatement] = []
    with open_asker(url) as asker:
        for text, same in slowest:
            if time.monotonic() < until:
                planned += _planned(asker, text, same)
    return tuple(planned)


def _planned(
    asker: Asker, text: str, same: Sequence[StatementTotals | StatementStats]
) -> list[PlannedStatement]:
    try:
        plan = asker.ask(text, timeout_s=_ONE_S)
    except PlanError:  # cut off in the record, or of a table that is gone
        return []
    first = max(same, key=lambda each: each.total_ms)
    seen = first if isinstance(first, StatementTotals) else None
    return [
        PlannedStatement(
            text,
            plan,
            sum(each.calls for each in same),
            _total_ms(same),
            frozenset(each.fingerprint for each in same),
            kind=seen.scope_kind if seen else "",
            scope=seen.scope if seen else "",
            location=seen.location if seen else None,
            rows=sum(max(each.rows, 0) for each in same),
            skews=find_skews(asker, text, plan),
        )
    ]


def _total_ms(same: Iterable[StatementTotals | StatementStats]) -> float:
    return sum(each.total_ms for each in same)
