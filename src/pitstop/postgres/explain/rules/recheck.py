"""An index tells candidates, and most of them turn out to be wrong when the row is looked at."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.postgres.explain.finding import Finding
from pitstop.postgres.explain.judging import count, judge, removed_rows

if TYPE_CHECKING:
    from pitstop.postgres.explain.plan import Plan

__all__ = ["examine"]

RULE = "recheck"
_MANY_ROWS = 1_000
_CURE = (
    "search for what the index can tell apart: a longer pattern for trigrams, jsonb_path_ops for @>, "
    "or a B-tree on the part that is compared"
)


def examine(plan: "Plan") -> Iterable[Finding]:
    """One finding for each scan where the recheck removes 1,000 rows and more than it keeps.

    Lossy bitmaps have a rule of their own. Details: ``rows_removed``, ``rows_kept``.
    """
    for node in plan.nodes():
        removed, kept = removed_rows(node, "Index Recheck"), node.total_rows
        if removed < _MANY_ROWS or removed < kept or node.number("Lossy Heap Blocks"):
            continue
        yield judge(
            plan,
            RULE,
            node,
            saving_ms=node.self_ms * removed / (removed + kept),
            why=f"the index tells {count(removed + kept, 'candidate')}, {kept:,.0f} of them are right",
            cure=_CURE,
            rows_removed=removed,
            rows_kept=kept,
        )
