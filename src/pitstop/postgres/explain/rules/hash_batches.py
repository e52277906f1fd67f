"""The hash table of a join did not fit into memory and both sides went through temporary files."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.postgres.explain.finding import Finding
from pitstop.postgres.explain.judging import judge, larger_work_mem

if TYPE_CHECKING:
    from pitstop.postgres.explain.plan import Plan

__all__ = ["examine"]

RULE = "hash-batches"


def examine(plan: "Plan") -> Iterable[Finding]:
    """One finding for each hash of more than one batch; half of its and the join's own time is the saving.

    Details: ``batches``, ``planned_batches``, ``memory_kb``.
    """
    for node in plan.nodes():
        batches, planned = node.number("Hash Batches"), node.number("Original Hash Batches")
        if batches <= 1:
            continue
        memory = node.number("Peak Memory Usage")
        join_ms = node.parent.self_ms if node.parent is not None else 0.0
        more = f" instead of {planned:,.0f} as planned" if planned != batches else ""
        yield judge(
            plan,
            RULE,
            node,
            saving_ms=(node.self_ms + join_ms) / 2,
            why=f"the join's hash table was split into {batches:,.0f} batches{more}, all but one in "
            "temporary files",
            cure=f"{larger_work_mem(memory * batches / 2)} for this statement (hash_mem_multiplier "
            "counts too), "
            "or bring fewer or narrower rows into the join",
            batches=batches,
            planned_batches=planned,
            memory_kb=memory,
        )
