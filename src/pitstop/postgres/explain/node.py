"""One node of a plan: what the planner expected of it and what its execution took."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["GATHERS", "Node", "Place"]

Place = Literal["", "InitPlan", "SubPlan"]

GATHERS = ("Gather", "Gather Merge")
_AGGREGATES = {"Plain": "Aggregate", "Sorted": "GroupAggregate", "Hashed": "HashAggregate"}
_OBJECTS = (
    "Relation Name",
    "Function Name",
    "CTE Name",
    "Table Function Name",
    "Tuplestore Name",
    "Alias",
)


@dataclass(slots=True, eq=False, repr=False)
class Node:
    """One node of a plan; nothing of it is to be changed.

    Attributes:
        node_type: as ``EXPLAIN (FORMAT JSON)`` names it: ``"Aggregate"``, ``"Hash Join"``.
        properties: everything else that was told of it, by the names of ``FORMAT JSON``; lists are joined by
            commas.
        parent: the node above, None for the root.
        depth: nodes above it.
        children: in the order of the plan, its InitPlans and SubPlans among them.
        place: ``"InitPlan"`` or ``"SubPlan"`` where it is the top of one, else empty.
        rows: average number of rows of one execution, as PostgreSQL tells it; None unless analysed.
        loops: executions, of all processes; 0 where it was never executed, None unless analysed.
        estimated_rows: rows of one execution that the planner expected; None with ``COSTS OFF``.
        total_ms: wall time of all its executions with what is below it, milliseconds; processes that work
            side by side count once. 0 without times.
        self_ms: its part of the plan's time without what it calls, milliseconds. A CTE or InitPlan is called
            by the node that reads it. The sum over all nodes is ``Plan.total_ms``.
        processes: how many processes shared its executions, on average.
    """

    node_type: str
    properties: Mapping[str, Any]
    parent: "Node | None" = None
    depth: int = 0
    children: "list[Node]" = field(default_factory=list)
    place: Place = ""
    rows: float | None = None
    loops: int | None = None
    estimated_rows: float | None = None
    total_ms: float = 0.0
    self_ms: float = 0.0
    processes: float = 1.0

    def __repr__(self) -> str:
        return f"<Node {self.label}>"

    @property
    def total_rows(self) -> float:
        """Rows of all executions; 0 unless analysed."""
        return (self.rows or 0.0) * (self.loops or 0)

    @property
    def never_executed(self) -> bool:
        """Whether the plan ran and this node did not."""
        return self.loops == 0

    @property
    def total_cost(self) -> float:
        """The planner's cost of one execution with what is below it; 0 with ``COSTS OFF``."""
        return self.number("Total Cost")

    @property
    def inputs(self) -> "list[Node]":
        """The children whose rows it takes: outer and inner of a join, members of an Append."""
        return [child for child in self.children if not child.place]

    @property
    def inner(self) -> "Node | None":
        """The inner input of a join, else None."""
        inputs = self.inputs
        return inputs[1] if len(inputs) == 2 and self.is_join else None

    @property
    def is_join(self) -> bool:
        """Whether it joins two inputs."""
        return self.node_type in ("Nested Loop", "Hash Join", "Merge Join")

    @property
    def table(self) -> str:
        """The table it reads or writes, with its schema where told; empty if none."""
        name, schema = self.text("Relation Name"), self.text("Schema")
        return f"{schema}.{name}" if schema and name else name

    @property
    def index(self) -> str:
        """The index it uses, or empty."""
        return self.text("Index Name")

    @property
    def label(self) -> str:
        """What it is, as ``EXPLAIN`` prints it: ``"Hash Left Join"``, ``"Seq Scan on posts"``."""
        using = f" using {self.index}" if self.index and self.node_type != "Bitmap Index Scan" else ""
        target = self.index if self.node_type == "Bitmap Index Scan" else self._target()
        return f"{self._title()}{using}" + (f" on {target}" if target else "")

    def number(self, name: str) -> float:
        """A property as a number; 0 where it was not told."""
        value = self.properties.get(name)
        return float(value) if isinstance(value, int | float) else 0.0

    def text(self, name: str) -> str:
        """A property as text; empty where it was not told."""
        value = self.properties.get(name)
        return "" if value is None else str(value)

    def own_number(self, name: str) -> float:
        """A figure that includes the children's (blocks, I/O times), without theirs."""
        return max(self.number(name) - sum(child.number(name) for child in self.children), 0.0)

    def above(self) -> "Iterator[Node]":
        """The nodes above it, nearest first."""
        node = self.parent
        while node is not None:
            yield node
            node = node.parent

    def below(self) -> "Iterator[Node]":
        """It and all below it, in the order of the plan."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(reversed(node.children))

    def _title(self) -> str:
        kind = self.node_type
        if kind == "Aggregate":
            strategy = self.text("Strategy")
            kind = _AGGREGATES.get(strategy, f"{strategy}Aggregate")
        elif kind == "SetOp":
            kind = f"{'Hash' if self.text('Strategy') == 'Hashed' else ''}SetOp {self.text('Command')}"
        elif kind == "ModifyTable" or (
            kind == "Foreign Scan" and self.text("Operation") not in ("", "Select")
        ):
            kind = f"{'Foreign ' if kind == 'Foreign Scan' else ''}{self.text('Operation')}"
        elif self.is_join:
            kind = self._join()
        elif kind == "Custom Scan":
            kind = f"Custom Scan ({self.text('Custom Plan Provider')})"
        back = " Backward" if self.text("Scan Direction") == "Backward" else ""
        return f"{self._prefix()}{kind}{back}"

    def _prefix(self) -> str:
        mode = self.text("Partial Mode")
        parts = (
            "Async" if self.properties.get("Async Capable") is True else "",
            "Parallel" if self.properties.get("Parallel Aware") is True else "",
            mode if mode != "Simple" else "",
        )
        return "".join(f"{part} " for part in parts if part)

    def _join(self) -> str:
        how = self.text("Join Type")
        if how in ("", "Inner"):
            return self.node_type
        return f"{self.node_type.removesuffix(' Join')} {how} Join"

    def _target(self) -> str:
        name = next((self.text(key) for key in _OBJECTS if self.text(key)), "")
        alias = self.text("Alias")
        return f"{_quoted(name)} {_quoted(alias)}" if alias and alias != name else _quoted(name)


def _quoted(name: str) -> str:
    return name if not name or re.fullmatch(r"[a-z_*][a-z0-9_$*]*", name) else f'"{name}"'
