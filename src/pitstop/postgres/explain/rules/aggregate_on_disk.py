"""Groups did not fit into memory and went through temporary files."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.postgres.explain.finding import Finding
from pitstop.postgres.explain.judging import judge, larger_work_mem

if TYPE_CHECKING:
    from pitstop.postgres.explain.plan import Plan

__all__ = ["examine"]

RULE = "aggregate-on-disk"


def examine(plan: "Plan") -> Iterable[Finding]:
    """One finding for each hashed aggregate that used disk; half of its own time is the saving.

    Details: ``disk_kb``, ``batches``.
    """
    for node in plan.nodes():
        disk, batches = node.number("Disk Usage"), node.number("HashAgg Batches")
        if disk and batches > 1:
            needed = node.number("Peak Memory Usage") * batches
            yield judge(
                plan,
                RULE,
                node,
                saving_ms=node.self_ms / 2,
                why=f"the groups by {node.text('Group Key')} took {batches:,.0f} rounds "
                f"and {disk / 1024:,.1f} MB of temporary files",
                cure=f"{larger_work_mem(min(needed, disk * 4))} for this statement, or filter "
                "before grouping",
                disk_kb=disk,
                batches=batches,
            )
