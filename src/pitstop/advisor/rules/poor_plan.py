"""What is wrong with the plan of a statement that was observed, as ``pitstop explain`` finds it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.advisor.finding import Finding
from pitstop.postgres import abbreviate

if TYPE_CHECKING:
    from pitstop.advisor.evidence import Evidence
    from pitstop.advisor.plans import PlannedStatement
    from pitstop.postgres.explain import Finding as PlanFinding

__all__ = ["examine", "told"]

RULE = "poor-plan"
_LEAST_COST = 100.0  # planner units, about a millisecond
_SQL_CHARS = 110
_INDEXED = ("filtered-scan", "sort-before-limit")
_CURED = ("correlated-subplan", "sort-on-disk")  # once the index is there, the plan is another one


def examine(evidence: "Evidence") -> Iterable[Finding]:
    """One finding for each rule of :mod:`pitstop.explain` that sees something in the estimates, and its cure.

    What an index cures is left to ``missing-index`` where the index advisor was asked. Details:
    ``plan_rule``, ``table`` (None where it is about none), ``statements`` (``text``, ``calls``, ``scope``),
    ``plan_cost`` (planner units of the node, of the statement that costs most).
    """
    groups: dict[tuple[str, str], list[tuple[PlannedStatement, PlanFinding]]] = {}
    for statement in evidence.plans:
        for found in told(evidence, statement):
            groups.setdefault((found.rule, found.cure), []).append((statement, found))
    for group in groups.values():
        yield _finding(group)


def told(evidence: "Evidence", statement: "PlannedStatement") -> "list[PlanFinding]":
    """What is wrong with a plan and worth a finding."""
    return [
        found
        for found in statement.plan.findings()
        if _cost(statement, found) >= _LEAST_COST and not _is_known(evidence, statement, found)
    ]


def _cost(statement: "PlannedStatement", found: "PlanFinding") -> float:
    """The planner's cost of the node, all of its rows fetched: an early stop is the planner's guess."""
    node = found.details.get("node")
    plan = statement.plan
    return float((plan.root if node is None else plan.nodes()[node]).total_cost)


def _is_known(evidence: "Evidence", statement: "PlannedStatement", found: "PlanFinding") -> bool:
    asked = evidence.indexes
    if asked is None or asked.advice is None:
        return False
    if found.rule in _INDEXED:
        return True  # the advisor has weighed every index for it
    expression = str(found.details.get("expression", ""))
    ddls = [ddl for each in sorted(statement.fingerprints) for ddl in asked.cures(each)]
    if found.rule in _CURED:
        return bool(ddls)
    return bool(expression) and any(expression in ddl for ddl in ddls)


def _finding(group: "list[tuple[PlannedStatement, PlanFinding]]") -> Finding:
    statement, found = max(group, key=lambda each: each[0].total_ms)
    calls = sum(each.calls for each, _ in group)
    total_ms = sum(each.total_ms for each, _ in group)
    table = found.details.get("table")
    many = f"{len(group)} statements" if len(group) > 1 else "one statement"
    whole = statement.plan.root.total_cost
    where = f", in {statement.scope}" if statement.scope else " (pg_stat_statements)"
    return Finding(
        rule=RULE,
        severity="warning",
        subject=found.subject,
        what=f"on {table} {found.why}" if table and table not in found.why else found.why,
        how_often=f"{calls:,} executions of {many}{where}",
        cost=f"{total_ms / calls:,.1f} ms a time, {total_ms:,.1f} ms so far; "
        f"planner: {_cost(statement, found):,.0f} for all rows of this place, {whole:,.0f} for the whole",
        cost_ms=total_ms,
        cure=found.cure,
        location=statement.location,
        query_location=statement.location,
        details={
            "plan_rule": found.rule,
            "table": table,
            "plan_cost": _cost(statement, found),
            "statements": [
                {
                    "text": abbreviate(each.text, max_chars=_SQL_CHARS),
                    "calls": each.calls,
                    "scope": each.scope,
                }
                for each, _ in sorted(group, key=lambda each: -each[0].total_ms)
            ],
        },
    )
