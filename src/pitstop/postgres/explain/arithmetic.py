"""Where the time of a plan went: each node's own part, so that the parts add up to the whole.

PostgreSQL tells an average for each execution, and adds what a node calls. So the time of a node is ``time x
loops``; below a Gather ``loops`` counts all processes, which work side by side, so there it is shared among
them. A CTE or InitPlan is printed where it is defined and runs inside the node that reads it: there it is
taken off. Workers can take longer than the Gather above them was asked for; then what is below fills the
Gather's time in its proportions.
"""

import re
from collections import defaultdict

from pitstop.postgres.explain.node import GATHERS, Node

__all__ = ["settle_times"]

_PARAMETER = re.compile(r"\$\d+|InitPlan \d+")
_RETURNS = re.compile(r"(InitPlan \d+)(?:,\d+)*(?: \(returns (?P<parameters>[^)]*)\))?")
_ROUNDING_MS = 0.0005  # of one figure: it is printed to a thousandth

Calls = dict[Node, list[tuple[Node, float]]]


def settle_times(nodes: list[Node]) -> float:
    """Set ``total_ms``, ``processes`` and ``self_ms`` of each node.

    Args:
        nodes: a whole plan in its order.

    Returns:
        the time of the whole, milliseconds: that of the root, and of data-modifying CTEs that run after it.
    """
    for node in nodes:
        node.processes = _processes(node)
        node.total_ms = node.number("Actual Total Time") * (node.loops or 0) / node.processes
    calls, after = _place_calls(nodes)
    _spread(nodes, calls, after)
    return nodes[0].total_ms + sum(after.values())


def _processes(node: Node) -> float:
    parent = node.parent
    if parent is None or node.place == "InitPlan":
        return 1.0
    if parent.node_type in GATHERS and not node.place and parent.loops and node.loops:
        return parent.processes * max(node.loops / parent.loops, 1.0)
    return parent.processes


def _place_calls(nodes: list[Node]) -> tuple[Calls, dict[Node, float]]:
    """Who calls whom and for how long; and what runs after the root has ended."""
    calls: Calls = {
        node: [(child, child.total_ms) for child in node.children if child.place != "InitPlan"]
        for node in nodes
    }
    free = {node: node.total_ms - sum(ms for _, ms in calls[node]) for node in nodes}
    plans = [node for node in nodes if node.place == "InitPlan" and node.total_ms > 0.0]
    readers = _find_readers(nodes, plans) if plans else {}
    after: dict[Node, float] = {}
    for plan in plans:
        left = plan.total_ms
        for reader in _order(readers[plan], plan, free):
            part = min(left, max(free[reader], 0.0))
            if part > 0.0:
                calls[reader].append((plan, part))
                free[reader] -= part
                left -= part
        if left > _ROUNDING_MS * (plan.loops or 1) and plan.node_type == "ModifyTable":
            after[plan] = left
    return calls, after


def _order(readers: list[Node], plan: Node, free: dict[Node, float]) -> list[Node]:
    """Who has room for the plan first; before all where it is printed, if that has room for the whole."""
    home = plan.parent

    def rank(node: Node) -> tuple[bool, float]:
        return (node is not home or free[node] < plan.total_ms, -free[node])

    return sorted(readers, key=rank)


def _find_readers(nodes: list[Node], plans: list[Node]) -> dict[Node, list[Node]]:
    """The nodes that may have called each CTE or InitPlan."""
    scans: dict[str, list[Node]] = defaultdict(list)
    mentions: dict[str, list[Node]] = defaultdict(list)
    for node in nodes:
        if node.node_type == "CTE Scan":
            scans[node.text("CTE Name")].append(node)
        for name in {name for text in _expressions(node) for name in _PARAMETER.findall(text)}:
            mentions[name].append(node)
    return {plan: _readers(plan, scans, mentions) for plan in plans}


def _expressions(node: Node) -> list[str]:
    return [
        value for key, value in node.properties.items() if isinstance(value, str) and key != "Subplan Name"
    ]


def _readers(plan: Node, scans: dict[str, list[Node]], mentions: dict[str, list[Node]]) -> list[Node]:
    home = plan.parent
    if home is None:
        return []
    name = plan.text("Subplan Name")
    if name.startswith("CTE "):
        found = scans[name.removeprefix("CTE ")]
    else:
        match = _RETURNS.match(name)
        names = [match[1], *(match["parameters"] or "").split(",")] if match else []
        found = [node for each in names for node in mentions[each]]
    found = [
        node for node in dict.fromkeys(found) if home in (node, *node.above()) and not _is_in(node, plan)
    ]
    gathers = [node for node in found if node.text("Params Evaluated")]  # evaluated before the workers start
    if gathers or found or plan.node_type == "ModifyTable":
        return gathers or found
    return [home, *_without_plans(home)]


def _is_in(node: Node, plan: Node) -> bool:
    return plan in (node, *node.above())


def _without_plans(home: Node) -> list[Node]:
    """What runs below a node, without its InitPlans: one of these evaluated a parameter that is not shown."""
    found: list[Node] = []
    waiting = [home]
    while waiting:
        node = waiting.pop()
        below = [child for child in node.children if child.place != "InitPlan"]
        found += below
        waiting += below
    return found


def _spread(nodes: list[Node], calls: Calls, after: dict[Node, float]) -> None:
    """Give each node its part of the time of its callers; callers come before what they call."""
    waits: dict[Node, int] = defaultdict(int)
    for called in calls.values():
        for child, _ in called:
            waits[child] += 1
    share: dict[Node, float] = defaultdict(float, after)
    share[nodes[0]] += nodes[0].total_ms
    ready = [node for node in nodes if not waits[node]]
    while ready:
        node = ready.pop()
        called = calls[node]
        out = sum(ms for _, ms in called)
        scale = share[node] / max(node.total_ms, out, 1e-12)
        node.self_ms = max(share[node] - scale * out, 0.0)
        for child, ms in called:
            share[child] += scale * ms
            waits[child] -= 1
            if not waits[child]:
                ready.append(child)
