"""A nested loop reads the same table from end to end again and again."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.postgres.explain.conditions import Condition, read_conditions
from pitstop.postgres.explain.finding import Finding
from pitstop.postgres.explain.judging import count, index_ddl, judge, removed_rows
from pitstop.postgres.explain.node import Node

if TYPE_CHECKING:
    from pitstop.postgres.explain.plan import Plan

__all__ = ["examine"]

RULE = "repeated-scan"
_MANY_LOOPS = 10
_MANY_ROWS = 1_000
_BY_HAND = (
    "index the column that the inner table is joined by, or make a hash join possible (join by equality)"
)


def examine(plan: "Plan") -> Iterable[Finding]:
    """One finding for each inner side of a nested loop that is scanned ten times or more.

    Details: ``table``, ``loops``, ``rows_removed``.
    """
    for join in plan.nodes():
        if join.node_type != "Nested Loop" or join.inner is None:
            continue
        inner = join.inner
        scan = _scan(inner)
        if scan is None or (inner.loops or 0) < _MANY_LOOPS * inner.processes:
            continue
        removed = removed_rows(scan) + removed_rows(join, "Join Filter")
        if removed < _MANY_ROWS:
            continue
        conditions = [*_join_conditions(join, scan), *read_conditions(scan.text("Filter"))]
        yield judge(
            plan,
            RULE,
            scan,
            saving_ms=_saving(join, inner, removed),
            why=f"{scan.table} is gone through {count(inner.loops or 0, 'time')} inside a nested loop, "
            f"and {count(removed, 'row')} thrown away",
            cure=index_ddl(scan, conditions) or _BY_HAND,
            table=scan.table,
            loops=inner.loops,
            rows_removed=removed,
        )


def _scan(inner: Node) -> Node | None:
    while inner.node_type in ("Materialize", "Memoize") and inner.inputs:
        inner = inner.inputs[0]
    return inner if inner.node_type == "Seq Scan" else None


def _saving(join: Node, inner: Node, removed: float) -> float:
    kept = join.total_rows
    return (inner.total_ms + join.self_ms) * removed / (removed + kept)


def _join_conditions(join: Node, scan: Node) -> list[Condition]:
    """What the join compares of the inner table, with the sides turned so that its column is on the left."""
    alias = scan.text("Alias")
    found: list[Condition] = []
    for condition in read_conditions(join.text("Join Filter")):
        if condition.operator != "=":
            continue
        if condition.table == alias:
            found.append(condition)
        elif condition.value.startswith(f"{alias}."):
            found.append(Condition(condition.value.removeprefix(f"{alias}."), "=", ""))
    return found
