"""Partitions are read that have nothing to give."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.postgres.explain.finding import Finding
from pitstop.postgres.explain.judging import judge
from pitstop.postgres.explain.node import Node

if TYPE_CHECKING:
    from pitstop.postgres.explain.plan import Plan

__all__ = ["examine"]

RULE = "partition-pruning"
_FEW = 3
_SHARE = 0.5


def examine(plan: "Plan") -> Iterable[Finding]:
    """One finding for each Append of three partitions or more of which half were read and gave no row.

    Details: ``partitions``, ``empty``.
    """
    for node in plan.nodes():
        if node.node_type not in ("Append", "Merge Append"):
            continue
        scans = [_scan(child) for child in node.inputs]
        read = [scan for scan in scans if scan is not None and scan.loops]
        empty = [scan for scan in read if not scan.rows]
        if len(read) < _FEW or len(empty) < _SHARE * len(read) or not _is_partitioned(read):
            continue
        yield judge(
            plan,
            RULE,
            node,
            saving_ms=sum(scan.total_ms for scan in empty),
            why=f"{len(read)} partitions were read, {len(empty)} of them gave no row",
            cure="compare the partition key itself, without a function or cast, with a constant or "
            "parameter; "
            "a condition on another column prunes nothing",
            partitions=len(read),
            empty=len(empty),
        )


def _scan(child: Node) -> Node | None:
    return child if child.table else None


def _is_partitioned(scans: list[Node]) -> bool:
    """Aliases of partitions are the parent's with a number; members of a UNION ALL have their own."""
    stems = {scan.text("Alias").rpartition("_")[0] for scan in scans}
    return len(stems) == 1 and all(scan.text("Alias").rpartition("_")[2].isdigit() for scan in scans)
