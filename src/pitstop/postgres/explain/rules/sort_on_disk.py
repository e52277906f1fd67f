"""A sort did not fit into memory and went through temporary files."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.postgres.explain.finding import Finding
from pitstop.postgres.explain.judging import judge, larger_work_mem
from pitstop.postgres.explain.node import Node

if TYPE_CHECKING:
    from pitstop.postgres.explain.plan import Plan

__all__ = ["examine"]

RULE = "sort-on-disk"
_MEMORY_FACTOR = 3.0  # rows take more room in memory than in the files


def examine(plan: "Plan") -> Iterable[Finding]:
    """One finding for each sort with a file on disk, of a worker as well; half of its own time is the saving.

    Details: ``disk_kb``.
    """
    for node in plan.nodes():
        disk = _disk_kb(node)
        if disk:
            yield judge(
                plan,
                RULE,
                node,
                saving_ms=node.self_ms / 2,
                why=f"the sort by {node.text('Sort Key')} took {disk / 1024:,.1f} MB of temporary files",
                cure=f"{larger_work_mem(disk * _MEMORY_FACTOR)} for this statement, sort fewer or "
                "narrower rows, "
                "or read them in order from an index",
                disk_kb=disk,
            )


def _disk_kb(node: Node) -> float:
    workers = node.properties.get("Workers") or ()
    sorts = [node.properties, *workers] if isinstance(workers, list) else [node.properties]
    own = max(
        (
            float(each.get("Sort Space Used") or 0)
            for each in sorts
            if isinstance(each, dict) and each.get("Sort Space Type") == "Disk"
        ),
        default=0.0,
    )
    groups = [node.properties.get(name) for name in ("Full-sort Groups", "Pre-sorted Groups")]
    spaces = [each.get("Sort Space Disk") for each in groups if isinstance(each, dict)]
    return max(
        [own, *(float(each.get("Peak Sort Space Used", 0)) for each in spaces if isinstance(each, dict))]
    )
