"""N+1: rows, columns or statements that were loaded one by one and could be loaded together."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pitstop.advisor.finding import Finding, Severity
from pitstop.store import NPlusOneTotals, ScopeTotals, StatementTotals

if TYPE_CHECKING:
    from pitstop.advisor.evidence import Evidence

__all__ = ["details_of", "examine", "grouped"]

RULE = "n-plus-one"
_CRITICAL_STATEMENTS = 20


def examine(evidence: "Evidence") -> Iterable[Finding]:
    """One finding for each attribute and query, whatever routes it happens in.

    Details: ``kind``, ``parent``, ``relationship``, ``count`` (extra statements, the most in one request),
    ``imports``, ``is_expression``, ``routes`` (names), ``callers`` (for each chain of calls that led to the
    query its lines, innermost first), ``also_in`` (routes that run the query and were not seen to read the
    attribute row by row: the cure may cost them more than it saves), ``seen`` (seconds since the epoch).
    """
    for group in grouped(evidence.observations.n_plus_one.values()):
        if group[0].kind != "forbidden-load":
            others = _other_routes(group, evidence.observations.statements.values())
            yield _finding(group, evidence.observations.scopes, others)


def grouped(totals: Iterable[NPlusOneTotals]) -> Iterable[list[NPlusOneTotals]]:
    """What is one finding, whatever routes it happens in: the same attribute, query and cure."""
    groups: dict[object, list[NPlusOneTotals]] = {}
    for each in totals:
        key = (each.kind, each.parent, each.relationship, each.query_location, each.cure)
        groups.setdefault(key, []).append(each)
    return groups.values()


def details_of(group: list[NPlusOneTotals]) -> dict[str, Any]:
    """What ``pitstop fix`` needs of a group, and in which routes it happens, the costliest first."""
    first = max(group, key=lambda each: each.total_ms)
    by_cost = sorted(group, key=lambda each: -each.total_ms)
    return {
        "kind": first.kind,
        "parent": first.parent,
        "relationship": first.relationship,
        "count": max(each.max_extra for each in group),
        "imports": list(first.imports),
        "is_expression": first.is_expression,
        "routes": list(dict.fromkeys(each.scope for each in by_cost)),
        "callers": [
            [*map(list, chain)] for chain in dict.fromkeys(each.callers for each in by_cost) if chain
        ],
        "seen": max(each.last_seen for each in group),
    }


def _other_routes(group: list[NPlusOneTotals], statements: Iterable[StatementTotals]) -> list[str]:
    """The routes that run the very query and were not seen to read row by row what the cure would load."""
    if not group[0].is_expression or group[0].query_location is None:
        return []
    affected = {(each.scope_kind, each.scope) for each in group}
    here = [each for each in statements if each.location == group[0].query_location]
    # One line may run many statements, as in a function that is handed them.
    same = {each.fingerprint for each in here if (each.scope_kind, each.scope) in affected}
    running = {(each.scope_kind, each.scope) for each in here if each.fingerprint in same}
    return sorted(name for _, name in running - affected)


def _finding(
    group: list[NPlusOneTotals], scopes: dict[tuple[str, str], ScopeTotals], others: list[str]
) -> Finding:
    first = max(group, key=lambda each: each.total_ms)
    details = details_of(group)
    requests = sum(each.requests for each in group)
    extra = sum(each.extra for each in group)
    total_ms = sum(each.total_ms for each in group)
    severity: Severity = "critical" if extra / max(requests, 1) >= _CRITICAL_STATEMENTS else "warning"
    return Finding(
        rule=RULE,
        severity=severity,
        subject=f"{first.parent}.{first.relationship}" if first.relationship else first.parent,
        what=_what(first),
        how_often=_how_often(first, details["routes"], requests, extra, scopes),
        cost=f"{extra:,} extra statements, {_ms(total_ms)} in them ({_ms(total_ms / requests)} a time)",
        cost_ms=total_ms,
        cure=first.cure,
        location=first.location,
        query_location=first.query_location,
        details={**details, "also_in": others},
    )


def _what(first: NPlusOneTotals) -> str:
    if first.kind == "repeated-statement":
        return f"the same statement on {first.parent} runs again and again with another value"
    if first.kind == "column-load":
        if not first.relationship:
            return f"{first.parent} is loaded again one row at a time"
        return f"{first.parent}.{first.relationship} is loaded one row at a time"
    return f"{first.parent}.{first.relationship} is loaded one {first.parent} at a time"


def _how_often(
    first: NPlusOneTotals,
    routes: list[str],
    requests: int,
    extra: int,
    scopes: dict[tuple[str, str], ScopeTotals],
) -> str:
    scope = scopes.get((first.scope_kind, first.scope))
    average = extra / max(requests, 1)
    where = routes[0] if len(routes) == 1 else f"{routes[0]} and {len(routes) - 1} more"
    of = f" of {scope.count:,}" if scope is not None and len(routes) == 1 else ""
    noun = {"request": "requests", "process": "runs"}.get(first.scope_kind, "operations")
    return f"{average:,.0f} extra statements a time in {where}, {requests:,}{of} {noun}"


def _ms(value: float) -> str:
    return f"{value / 1000:,.1f} s" if value >= 10_000 else f"{value:,.1f} ms"
