"""Routes whose p95 is above the limit, with how many statements a request takes."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.advisor.finding import Finding
from pitstop.store import ScopeTotals

if TYPE_CHECKING:
    from pitstop.advisor.evidence import Evidence

__all__ = ["examine"]

RULE = "slow-route"
_MANY_STATEMENTS = 10


def examine(evidence: "Evidence") -> Iterable[Finding]:
    """One finding for each route with a p95 of ``slow_request_ms`` or more.

    Details: ``count``, ``p50_ms``, ``p95_ms``, ``p99_ms``, ``statements_per_request``.
    """
    for each in evidence.observations.scopes.values():
        if each.kind == "request" and each.count:
            p95 = each.latency.quantile(0.95)
            if p95 >= evidence.thresholds.slow_request_ms:
                yield _finding(each, p95)


def _finding(each: ScopeTotals, p95: float) -> Finding:
    statements = each.statements / each.count
    many = statements >= _MANY_STATEMENTS
    return Finding(
        rule=RULE,
        severity="critical" if p95 >= 5_000 else "warning",
        subject=each.name,
        what=f"{each.name} answers in {p95:,.0f} ms or more for one request in twenty",
        how_often=f"{each.count:,} requests, p50 {each.latency.quantile(0.5):,.0f} ms",
        cost=f"{each.total_ms / 1000:,.1f} s of requests, {statements:,.1f} statements in each",
        cost_ms=each.total_ms,
        cure="cure the statements it repeats first (see the N+1 findings)"
        if many
        else "look where its time goes: its slowest statements, or work outside the database",
        details={
            "count": each.count,
            "p50_ms": each.latency.quantile(0.5),
            "p95_ms": p95,
            "p99_ms": each.latency.quantile(0.99),
            "statements_per_request": statements,
        },
    )
