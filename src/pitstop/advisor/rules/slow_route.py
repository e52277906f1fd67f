"""Routes whose p95 (of few requests the median) is above the limit, and how many statements they take."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.advisor.finding import Finding
from pitstop.store import ScopeTotals

if TYPE_CHECKING:
    from pitstop.advisor.evidence import Evidence

__all__ = ["examine"]

RULE = "slow-route"
_MANY_STATEMENTS = 10
_ENOUGH = 20  # requests that tell a p95; of fewer it is the slowest, which often is the first


def examine(evidence: "Evidence") -> Iterable[Finding]:
    """One finding for each route with a p95 of ``slow_request_ms`` or more; of under 20 requests the median.

    Details: ``count``, ``p50_ms``, ``p95_ms``, ``p99_ms``, ``statements_per_request``.
    """
    for each in evidence.observations.scopes.values():
        slow = each.quantile(_share(each)) >= evidence.thresholds.slow_request_ms
        if each.kind == "request" and each.count and slow:
            yield _finding(each)


def _share(each: ScopeTotals) -> float:
    return 0.95 if each.count >= _ENOUGH else 0.5


def _finding(each: ScopeTotals) -> Finding:
    slow_ms, share = each.quantile(_share(each)), _share(each)
    statements = each.statements / each.count
    many = statements >= _MANY_STATEMENTS
    return Finding(
        rule=RULE,
        severity="critical" if slow_ms >= 5_000 else "warning",
        subject=each.name,
        what=f"{each.name} answers in {slow_ms:,.0f} ms or more for one request in "
        f"{'twenty' if share > 0.5 else 'two'}",
        how_often=f"{each.count:,} requests, p50 {each.quantile(0.5):,.0f} ms",
        cost=f"{each.total_ms / 1000:,.1f} s of requests, {statements:,.1f} statements in each",
        cost_ms=each.total_ms,
        cure="cure the statements it repeats first (see the N+1 findings)"
        if many
        else "look where its time goes: its slowest statements, or work outside the database",
        details={
            "count": each.count,
            "p50_ms": each.quantile(0.5),
            "p95_ms": each.quantile(0.95),
            "p99_ms": each.quantile(0.99),
            "statements_per_request": statements,
        },
    )
