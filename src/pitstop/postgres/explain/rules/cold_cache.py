"""Most pages came from outside of PostgreSQL's cache."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.postgres.explain.finding import Finding
from pitstop.postgres.explain.judging import judge
from pitstop.postgres.explain.node import Node

if TYPE_CHECKING:
    from pitstop.postgres.explain.plan import Plan

__all__ = ["examine"]

RULE = "cold-cache"
_MANY_PAGES = 1_000
_SHARE = 0.5
_PAGE_MB = 8 / 1024


def examine(plan: "Plan") -> Iterable[Finding]:
    """One finding for the node that read most, if 1,000 pages and half of all were not in shared buffers.

    Details: ``pages_read``, ``pages_hit``.
    """
    hit, read = plan.root.number("Shared Hit Blocks"), plan.root.number("Shared Read Blocks")
    if read < max(_MANY_PAGES, _SHARE * (hit + read)):
        return
    most = max(plan.nodes(), key=_reads)
    yield judge(
        plan,
        RULE,
        most,
        saving_ms=most.own_number("Shared I/O Read Time") / most.processes or most.self_ms / 2,
        why=f"{read * _PAGE_MB:,.0f} MB of {(hit + read) * _PAGE_MB:,.0f} MB were not in shared buffers, "
        "most of it read here",
        cure="run it again: if it stays so, read fewer pages (an index, fewer columns in a covering one), "
        "or raise shared_buffers",
        pages_read=read,
        pages_hit=hit,
    )


def _reads(node: Node) -> float:
    return node.own_number("Shared Read Blocks")
