"""A CTE, a materialised input or a window was kept in temporary files."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.postgres.explain.finding import Finding
from pitstop.postgres.explain.judging import judge, larger_work_mem
from pitstop.postgres.explain.node import Node

if TYPE_CHECKING:
    from pitstop.postgres.explain.plan import Plan

__all__ = ["examine"]

RULE = "stored-on-disk"
_KEEPERS = ("CTE Scan", "Materialize", "WindowAgg", "Function Scan", "Table Function Scan", "Recursive Union")
_BLOCK_KB = 8


def examine(plan: "Plan") -> Iterable[Finding]:
    """One finding for each of them that wrote temporary files; half of its own time is the saving.

    Details: ``disk_kb``.
    """
    for node in plan.nodes():
        disk = _disk_kb(node)
        if node.node_type in _KEEPERS and disk:
            yield judge(
                plan,
                RULE,
                node,
                saving_ms=node.self_ms / 2,
                why=f"its rows did not fit into memory and took {disk / 1024:,.1f} MB of temporary files",
                cure=_cure(node, disk),
                disk_kb=disk,
            )


def _disk_kb(node: Node) -> float:
    if node.text("Storage") == "Disk":
        return node.number("Maximum Storage")
    return node.own_number("Temp Written Blocks") * _BLOCK_KB


def _cure(node: Node, disk: float) -> str:
    memory = f"{larger_work_mem(disk * 2)} for this statement"
    if node.node_type == "CTE Scan":
        return f"write WITH {node.text('CTE Name')} AS NOT MATERIALIZED (...), or {memory}"
    return f"{memory}, or bring fewer or narrower rows to it"
