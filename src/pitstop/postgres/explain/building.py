"""Documents as ``EXPLAIN (FORMAT JSON)`` gives them, made into nodes; a plan of any depth takes no stack."""

from collections.abc import Mapping, Sequence
from typing import Any

from pitstop.errors import PlanError
from pitstop.postgres.explain.node import Node, Place

__all__ = ["build_tree"]

_APART = ("Plans", "Node Type", "Parent Relationship", "Actual Rows", "Actual Loops", "Plan Rows")
_OLD_NAMES = {"I/O Read Time": "Shared I/O Read Time", "I/O Write Time": "Shared I/O Write Time"}  # up to 16
_PLACES: dict[str, Place] = {"InitPlan": "InitPlan", "SubPlan": "SubPlan"}


def build_tree(document: Mapping[str, Any]) -> list[Node]:
    """The nodes below ``"Plan"`` of a document, in the order of the plan, the root first.

    Raises:
        PlanError: a node has no type, or a figure of it is no number.
    """
    root = _node(document["Plan"], None)
    nodes = [root]
    waiting = [(document["Plan"], root)]
    while waiting:
        told, node = waiting.pop()
        if node is not root:
            nodes.append(node)
        below = [(each, _node(each, node)) for each in _plans(told)]
        node.children.extend(child for _, child in below)
        waiting.extend(reversed(below))
    return nodes


def _plans(told: Mapping[str, Any]) -> Sequence[Any]:
    plans = told.get("Plans", ())
    return plans if isinstance(plans, list | tuple) else ()


def _node(told: object, parent: Node | None) -> Node:
    if not isinstance(told, Mapping) or not isinstance(told.get("Node Type"), str):
        raise PlanError(
            "a node of the plan has no 'Node Type': give the whole output of EXPLAIN (FORMAT JSON)"
        )
    loops = _number(told, "Actual Loops")
    return Node(
        told["Node Type"],
        {
            _OLD_NAMES.get(str(key), str(key)): _joined(value)
            for key, value in told.items()
            if key not in _APART
        },
        parent=parent,
        depth=0 if parent is None else parent.depth + 1,
        place=_PLACES.get(str(told.get("Parent Relationship")), ""),
        rows=None if loops is None else _number(told, "Actual Rows") or 0.0,
        loops=None if loops is None else int(loops),
        estimated_rows=_number(told, "Plan Rows"),
    )


def _joined(value: object) -> object:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ", ".join(value)
    return value


def _number(told: Mapping[str, Any], name: str) -> float | None:
    value = told.get(name)
    if value is None:
        return None
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise PlanError(f"{name} of {told['Node Type']} is {value!r}: a number is expected") from error
