"""What the rules share: findings with a grade, figures in words, and indexes in SQL."""

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from pitstop.postgres.explain.conditions import Condition
from pitstop.postgres.explain.finding import Finding, Severity
from pitstop.postgres.explain.node import Node

if TYPE_CHECKING:
    from pitstop.postgres.explain.plan import Plan

__all__ = [
    "count",
    "feeds_limit",
    "index_ddl",
    "judge",
    "larger_work_mem",
    "quoted_table",
    "removed_rows",
    "weight",
]

_CRITICAL_SHARE, _WARNING_SHARE = 0.5, 0.1
_CRITICAL_MS = 50.0
_KEEPS_ORDER = ("Limit", "Nested Loop", "Append", "Merge Append", "Gather Merge", "Subquery Scan", "LockRows")


def judge(
    plan: "Plan", rule: str, subject: Node | str, *, saving_ms: float, why: str, cure: str, **details: Any
) -> Finding:
    """A finding with the severity that its part of the whole time gives it.

    Args:
        plan: what is judged.
        rule: its name.
        subject: the node, or a table, trigger or setting.
        saving_ms: what the cure could save at the most; 0 where that is not known.
        why, cure: as in ``Finding``.
        details: further facts; of a node its place in ``plan.nodes()`` is told as ``node``.
    """
    if isinstance(subject, Node):
        details["node"] = plan.position(subject)
    # times of a node are rounded for each of its loops: all of them can be more than the whole
    saving_ms = min(saving_ms, max(plan.whole_ms, plan.planning_ms or 0.0))
    return Finding(
        rule=rule,
        severity=_grade(saving_ms, plan.whole_ms),
        saving_ms=saving_ms,
        subject=subject.label if isinstance(subject, Node) else subject,
        why=why,
        cure=cure,
        details=details,
    )


def _grade(saving_ms: float, whole_ms: float) -> Severity:
    share = saving_ms / whole_ms if whole_ms else 0.0
    if share >= _CRITICAL_SHARE and saving_ms >= _CRITICAL_MS:
        return "critical"
    return "warning" if share >= _WARNING_SHARE else "info"


def weight(plan: "Plan", node: Node) -> float:
    """A node's own part of the plan, 0 to 1: of its time, or of its cost where there are no times."""
    if plan.has_times:
        return node.self_ms / plan.total_ms if plan.total_ms else 0.0
    own = node.total_cost - sum(child.total_cost for child in node.inputs)
    return min(max(own / plan.root.total_cost, 0.0), 1.0) if plan.root.total_cost else 0.0


def removed_rows(node: Node, by: str = "Filter") -> float:
    """Rows of all executions that a condition removed: ``Filter``, ``Join Filter``, ``Index Recheck``."""
    return node.number(f"Rows Removed by {by}") * (node.loops or 0)


def feeds_limit(node: Node) -> bool:
    """Whether a LIMIT above stops the node early, with nothing in between that wants all rows."""
    for above in node.above():
        if above.node_type == "Limit":
            return True
        if above.node_type not in _KEEPS_ORDER:
            return False
    return False


def count(value: float, what: str) -> str:
    """A number of things in words: ``"1 row"``, ``"12,345 rows"``."""
    return f"{value:,.0f} {what}{'' if round(value) == 1 else 's'}"


def larger_work_mem(needed_kb: float) -> str:
    """The setting that would hold so much, in the next power of two of megabytes."""
    megabytes = 1
    while megabytes * 1024 < needed_kb:
        megabytes *= 2
    return f"SET work_mem = '{megabytes}MB'"


def index_ddl(
    node: Node, conditions: Sequence[Condition], *, order: Sequence[str] = (), include: Iterable[str] = ()
) -> str:
    """The index that serves conditions on a table; empty where none would.

    Columns with equality come first, then those to sort by, then one with a range.
    """
    if not node.table:
        return ""
    table = quoted_table(node)
    special = next((each for each in conditions if _method(each)), None)
    equal = list(dict.fromkeys(each.column for each in conditions if each.is_equality))
    if special is not None and not equal:
        method = _method(special)
        extension = "CREATE EXTENSION IF NOT EXISTS pg_trgm; " if "gin_trgm_ops" in method else ""
        return f"{extension}CREATE INDEX CONCURRENTLY ON {table} {method}"
    ranges = [] if order else [each.column for each in conditions if each.is_range][:1]
    columns = list(dict.fromkeys([*equal, *order, *ranges]))
    if not columns:
        return ""
    more = f" INCLUDE ({', '.join(include)})" if include else ""
    return f"CREATE INDEX CONCURRENTLY ON {table} ({', '.join(columns)}){more}"


def quoted_table(node: Node) -> str:
    """The table of a node as SQL names it."""
    parts = (node.text("Schema"), node.text("Relation Name"))
    return ".".join(
        part if re.fullmatch(r"[a-z_][a-z0-9_$]*", part) else f'"{part}"'
        for part in parts
        if part and part != "public"
    )


def _method(condition: Condition) -> str:
    column, value = condition.column, condition.value
    if condition.operator in ("~~", "~~*", "~", "~*"):
        if condition.operator == "~~" and not value.startswith(("'%", "'_")):
            return f"({column} text_pattern_ops)"
        return f"USING gin ({column} gin_trgm_ops)"
    if condition.operator == "@>":
        return f"USING gin ({column}{' jsonb_path_ops' if '::jsonb' in value else ''})"
    if condition.operator in ("@@", "&&", "<@", "?"):
        return f"USING gin ({column})"
    return ""
