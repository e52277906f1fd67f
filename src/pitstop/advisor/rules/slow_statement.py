"""Statements that take long on average, as the application or the database measured them."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.advisor.finding import Finding
from pitstop.advisor.rules.poor_plan import told
from pitstop.store import StatementTotals

if TYPE_CHECKING:
    from pitstop.advisor.evidence import Evidence

__all__ = ["examine"]

RULE = "slow-statement"
_SEVERAL = 5  # what the server counted less often may be the filling of a table, or somebody at psql
_CURE = (
    "look at its plan with values in it, by pitstop explain --analyze or EXPLAIN (ANALYZE, BUFFERS): "
    "most often an index is missing or too much is read"
)


def examine(evidence: "Evidence") -> Iterable[Finding]:
    """One finding for each statement whose mean is above ``slow_statement_ms``; ``poor-plan`` goes before it.

    Details: ``fingerprint``, ``text``, ``calls``, ``mean_ms``, ``max_ms``.
    """
    limit = evidence.thresholds.slow_statement_ms
    seen: dict[str, list[StatementTotals]] = {}
    for each in evidence.observations.statements.values():
        seen.setdefault(each.fingerprint, []).append(each)
    for group in seen.values():
        calls, total_ms = sum(each.calls for each in group), sum(each.total_ms for each in group)
        if calls and total_ms / calls >= limit and not _is_told(evidence, group[0].fingerprint):
            first = max(group, key=lambda each: each.total_ms)
            longest = max(each.max_ms for each in group)
            cure = _cure(evidence, first.fingerprint)
            yield _finding(first.fingerprint, first.text, calls, total_ms, longest, first, cure=cure)
    for row in evidence.catalog.statements if evidence.catalog is not None else ():
        if row.mean_ms >= limit and row.fingerprint not in seen and not _is_told(evidence, row.fingerprint):
            cure = _cure(evidence, row.fingerprint)
            yield _finding(row.fingerprint, row.text, row.calls, row.total_ms, row.max_ms, None, cure=cure)


def _cure(evidence: "Evidence", fingerprint: str) -> str:
    ddls = evidence.indexes.cures(fingerprint) if evidence.indexes is not None else []
    if ddls:
        return f"the missing index, told of by itself: {'; '.join(ddls)}"
    return _CURE


def _is_told(evidence: "Evidence", fingerprint: str) -> bool:
    plans = [each for each in evidence.plans if fingerprint in each.fingerprints]
    return any(found.details.get("table") for each in plans for found in told(evidence, each))


def _finding(
    fingerprint: str,
    text: str,
    calls: int,
    total_ms: float,
    max_ms: float,
    first: StatementTotals | None,
    *,
    cure: str,
) -> Finding:
    line = " ".join(text.split())
    return Finding(
        rule=RULE,
        severity="warning" if first is not None or calls >= _SEVERAL else "info",
        subject=line[:80],
        what=f"a statement takes {total_ms / calls:,.0f} ms on average: {line[:160]}",
        how_often=("once" if calls == 1 else f"{calls:,} times")
        + (f", in {first.scope}" if first is not None else " (pg_stat_statements)"),
        cost=f"{total_ms / 1000:,.1f} s in all, {max_ms:,.0f} ms at most",
        cost_ms=total_ms,
        cure=cure,
        location=first.location if first is not None else None,
        details={
            "fingerprint": fingerprint,
            "text": text,
            "calls": calls,
            "mean_ms": total_ms / calls,
            "max_ms": max_ms,
        },
    )
