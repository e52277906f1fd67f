"""All nodes of one execution together take much memory; with many connections the machine runs out of it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.postgres.explain.finding import Finding
from pitstop.postgres.explain.judging import judge
from pitstop.postgres.explain.node import Node

if TYPE_CHECKING:
    from pitstop.postgres.explain.plan import Plan

__all__ = ["examine"]

RULE = "memory"
_MUCH_KB = 64 * 1024


def examine(plan: "Plan") -> Iterable[Finding]:
    """One finding if sorts, hashes, groups and caches of one execution take 64 MB or more.

    Details: ``memory_kb``, ``nodes``.
    """
    users = {node: _memory_kb(node) for node in plan.nodes()}
    total = sum(users.values())
    if total < _MUCH_KB:
        return
    most = max(users, key=lambda node: users[node])
    yield judge(
        plan,
        RULE,
        most,
        saving_ms=0.0,
        why=f"one execution takes {total / 1024:,.0f} MB for sorting, hashing and grouping, "
        f"{users[most] / 1024:,.0f} MB of it here",
        cure="multiply it by the connections that run this at once, and keep that below the memory "
        "of the machine: "
        "bring fewer or narrower rows here, or lower work_mem for this statement",
        memory_kb=total,
        nodes=sum(kb > 0 for kb in users.values()),
    )


def _memory_kb(node: Node) -> float:
    processes = 1.0 if node.properties.get("Parallel Aware") is True else node.processes
    sort = node.number("Sort Space Used") if node.text("Sort Space Type") == "Memory" else 0.0
    stored = node.number("Maximum Storage") if node.text("Storage") == "Memory" else 0.0
    return (sort + stored + node.number("Peak Memory Usage")) * processes
