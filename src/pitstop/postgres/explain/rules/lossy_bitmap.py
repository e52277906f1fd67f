"""A bitmap did not fit into memory and forgot rows: whole pages had to be looked through."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.postgres.explain.finding import Finding
from pitstop.postgres.explain.judging import count, judge, larger_work_mem, removed_rows

if TYPE_CHECKING:
    from pitstop.postgres.explain.plan import Plan

__all__ = ["examine"]

RULE = "lossy-bitmap"
_SHARE = 0.1
_BYTES_A_PAGE = 64  # of an exact bitmap, about


def examine(plan: "Plan") -> Iterable[Finding]:
    """One finding for each bitmap scan with a tenth of its pages lossy and as many rows looked at in vain.

    Details: ``lossy_pages``, ``exact_pages``, ``rows_removed``.
    """
    for node in plan.nodes():
        lossy, exact = node.number("Lossy Heap Blocks"), node.number("Exact Heap Blocks")
        removed = removed_rows(node, "Index Recheck")
        if not lossy or lossy < _SHARE * (lossy + exact) or removed < _SHARE * node.total_rows:
            continue
        yield judge(
            plan,
            RULE,
            node,
            saving_ms=node.self_ms * removed / max(removed + node.total_rows, 1.0),
            why=f"the bitmap kept only the page for {count(lossy, 'page')} of {lossy + exact:,.0f}, "
            f"so that {count(removed, 'row')} were looked at in vain",
            cure=f"{larger_work_mem((lossy + exact) * _BYTES_A_PAGE / 1024)} for this statement, "
            "or a narrower index condition",
            lossy_pages=lossy,
            exact_pages=exact,
            rows_removed=removed,
        )
