"""Parameters whose most common value is nothing like the others, so that one plan cannot fit all values."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.advisor.finding import Finding
from pitstop.postgres import abbreviate

if TYPE_CHECKING:
    from pitstop.advisor.evidence import Evidence
    from pitstop.advisor.plans import PlannedStatement
    from pitstop.advisor.skew import Skew

__all__ = ["examine"]

RULE = "skewed-value"
_TIMES = 10
_SQL_CHARS = 110


def examine(evidence: "Evidence") -> Iterable[Finding]:
    """One finding for each column that statements compare with a parameter, and whose values differ so.

    A warning where an execution brought ten times the rows that the plan for any value expects. Details:
    ``table``, ``column``, ``share`` (of the rows, with the most common value), ``rows``, ``usual_rows``,
    ``plan_cost``, ``usual_plan_cost``, ``statements``.
    """
    groups: dict[tuple[str, str], list[tuple[PlannedStatement, Skew]]] = {}
    for statement in evidence.plans:
        for skew in statement.skews:
            groups.setdefault((skew.table, skew.column), []).append((statement, skew))
    for group in groups.values():
        yield _finding(sorted(group, key=lambda each: -each[0].total_ms))


def _finding(group: "list[tuple[PlannedStatement, Skew]]") -> Finding:
    statement, skew = group[0]
    calls = sum(each.calls for each, _ in group)
    total_ms = sum(each.total_ms for each, _ in group)
    many = f"{len(group)} statements" if len(group) > 1 else "one statement"
    where = f", in {statement.scope}" if statement.scope else " (pg_stat_statements)"
    return Finding(
        rule=RULE,
        severity="warning" if any(_is_hit(each) for each, _ in group) else "info",
        subject=f"{skew.table}.{skew.column}",
        what=f"one value of {skew.table}.{skew.column} has {skew.share:.0%} of the rows, about "
        f"{skew.rows:,.0f}; a plan for any value expects {skew.usual_rows:,.0f}",
        how_often=f"{calls:,} executions of {many}{where}",
        cost=f"{total_ms / calls:,.1f} ms a time, {total_ms:,.1f} ms so far; planner: {skew.usual_cost:,.0f} "
        f"for any value, {skew.cost:,.0f} for that one",
        cost_ms=total_ms,
        cure="let the planner see the value: ALTER ROLE ... SET plan_cache_mode = force_custom_plan; and "
        "page what the common value brings. Where the code names the value, write it as a literal",
        location=statement.location,
        query_location=statement.location,
        details={
            "table": skew.table,
            "column": skew.column,
            "share": skew.share,
            "rows": skew.rows,
            "usual_rows": skew.usual_rows,
            "plan_cost": skew.cost,
            "usual_plan_cost": skew.usual_cost,
            "statements": [abbreviate(each.text, max_chars=_SQL_CHARS) for each, _ in group],
        },
    )


def _is_hit(statement: "PlannedStatement") -> bool:
    """Whether executions brought far more rows than the plan for any value expects."""
    expected = max(statement.plan.root.estimated_rows or 0.0, 1.0)
    return statement.rows >= _TIMES * expected * statement.calls
