"""A sort did not fit into memory and went through temporary files."""

import math
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.postgres.explain.estimates import limit_above
from pitstop.postgres.explain.finding import Finding
from pitstop.postgres.explain.judging import judge, larger_work_mem, weight
from pitstop.postgres.explain.node import Node

if TYPE_CHECKING:
    from pitstop.postgres.explain.plan import Plan

__all__ = ["examine"]

RULE = "sort-on-disk"
_DEFAULT_MEMORY = "4MB"
_UNITS_KB = {"kB": 1, "MB": 1024, "GB": 1024**2, "TB": 1024**3}
_HEADER_BYTES = 24
_SHARE = 0.1
_CURE = "{} for this statement, sort fewer or narrower rows, or read them in order from an index"
_MEMORY_FACTOR = 3.0  # rows take more room in memory than in the files


def examine(plan: "Plan") -> Iterable[Finding]:
    """One finding for each sort with a file on disk, of a worker as well; half of its own time is the saving.

    Without ``ANALYZE``, where the plan tells its settings, one for each that is expected not to fit into
    ``work_mem`` and costs a tenth of the whole. Details: ``disk_kb``.
    """
    if not plan.is_analyzed:
        yield from _examine_estimates(plan)
        return
    for node in plan.nodes():
        disk = _disk_kb(node)
        if disk:
            yield judge(
                plan,
                RULE,
                node,
                saving_ms=node.self_ms / 2,
                why=f"the sort by {node.text('Sort Key')} took {disk / 1024:,.1f} MB of temporary files",
                cure=_CURE.format(larger_work_mem(disk * _MEMORY_FACTOR)),
                disk_kb=disk,
            )


def _examine_estimates(plan: "Plan") -> Iterable[Finding]:
    if "Settings" not in plan.document:  # then work_mem may be anything
        return
    memory_kb = _setting_kb(plan.settings.get("work_mem", _DEFAULT_MEMORY))
    for node in plan.nodes():
        needed = _needed_kb(node) if node.node_type == "Sort" else 0.0
        if needed <= memory_kb or weight(plan, node) < _SHARE:
            continue
        yield judge(
            plan,
            RULE,
            node,
            saving_ms=0.0,
            why=f"the sort by {node.text('Sort Key')} is to take {needed / 1024:,.1f} MB, and work_mem is "
            f"{memory_kb / 1024:,.1f} MB: it goes through temporary files",
            cure=_CURE.format(larger_work_mem(needed)),
            disk_kb=needed,
        )


def _setting_kb(written: str) -> float:
    found = re.fullmatch(r"(\d+)(kB|MB|GB|TB)", written)
    return float(found[1]) * _UNITS_KB[found[2]] if found else math.inf


def _needed_kb(node: Node) -> float:
    """As the planner reckons it: the rows that are kept, each with its header, in steps of eight bytes."""
    limit = limit_above(node)
    rows = min(each.estimated_rows or 0.0 for each in (node, limit) if each is not None)
    return rows * (-(-node.number("Plan Width") // 8) * 8 + _HEADER_BYTES) / 1024


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
