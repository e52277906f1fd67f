"""What the planner expected of a node: how far off that was, and how much of it a LIMIT lets happen."""

from pitstop.postgres.explain.node import Node

__all__ = ["estimate_factor", "fetched_share", "limit_above"]

_SILENT = ("BitmapAnd", "BitmapOr", "Bitmap Index Scan", "ModifyTable", "Materialize", "Memoize", "Gather")
_STOPPERS = ("Limit", "Merge Join")
_HANDS_ON = ("Result", "Gather", "Gather Merge", "Subquery Scan", "LockRows", "ProjectSet")


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


def limit_above(node: Node) -> Node | None:
    """The LIMIT that stops a node, with nothing in between but what hands its rows on."""
    for above in node.above():
        if above.node_type == "Limit":
            return above
        if above.node_type not in _HANDS_ON:
            return None
    return None


def fetched_share(node: Node) -> float:
    """The part of a node's work that the planner expects to be done before a LIMIT above is full, 0 to 1."""
    limit = limit_above(node)
    if limit is None or not limit.inputs:
        return 1.0
    begin, end = limit.inputs[0].number("Startup Cost"), limit.inputs[0].total_cost
    return min(max((limit.total_cost - begin) / (end - begin), 0.0), 1.0) if end > begin else 1.0
