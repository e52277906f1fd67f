"""How far off the planner's estimate of a node was."""

from pitstop.postgres.explain.node import Node

__all__ = ["estimate_factor"]

_SILENT = ("BitmapAnd", "BitmapOr", "Bitmap Index Scan", "ModifyTable", "Materialize", "Memoize", "Gather")
_STOPPERS = ("Limit", "Merge Join")


def estimate_factor(node: Node) -> float:
    """How many times more or fewer rows came than were expected; 1 where that cannot be told.

    What stands below a LIMIT may have been stopped early, which is no fault of the estimate.
    """
    if not node.loops or node.estimated_rows is None or node.node_type in _SILENT:
        return 1.0
    expected, got = max(node.estimated_rows, 1.0), max(node.rows or 0.0, 1.0)
    if expected > got and _may_stop(node):
        return 1.0
    return max(expected / got, got / expected)


def _may_stop(node: Node) -> bool:
    """Whether what is above may not have wanted all rows."""
    below = node
    for above in node.above():
        stops = above.node_type in _STOPPERS or above.text("Join Type") in ("Semi", "Anti")
        if stops or below.place == "SubPlan":
            return True
        below = above
    return False
