"""A plan as a whole: its nodes, what stands below them, and what is wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pitstop.errors import PlanError
from pitstop.postgres.explain.arithmetic import settle_times
from pitstop.postgres.explain.building import build_tree
from pitstop.postgres.explain.finding import Finding
from pitstop.postgres.explain.node import Node
from pitstop.postgres.explain.source import read_documents

__all__ = ["Plan", "Trigger", "parse", "parse_all"]


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger that ran with the statement; ``constraint`` is empty unless it checks one."""

    name: str
    constraint: str
    table: str
    ms: float
    calls: int


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Plan:
    """A plan, read.

    Attributes:
        root: its first node.
        total_ms: time of all nodes, milliseconds; 0 without times.
        execution_ms: time of the execution with triggers, and starting and ending it; None if not told.
        planning_ms: time of planning; None if not told.
        triggers: those that ran.
        settings: settings unlike their default, with ``EXPLAIN (SETTINGS)``.
        statement: the text of the statement, where a log tells it; else empty.
        jit: what just-in-time compilation took: ``Functions``, ``Options``, ``Timing`` (milliseconds).
        document: the plan as ``EXPLAIN (FORMAT JSON)`` gives it.
    """

    root: Node
    total_ms: float
    execution_ms: float | None
    planning_ms: float | None
    triggers: tuple[Trigger, ...]
    settings: Mapping[str, str]
    statement: str
    jit: Mapping[str, Any]
    document: Mapping[str, Any]
    _nodes: list[Node] = field(default_factory=list)
    _positions: dict[Node, int] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<Plan {self.root.label}, {len(self._nodes)} nodes, {self.total_ms:.3f} ms>"

    def __str__(self) -> str:
        from pitstop.postgres.explain.tree import draw

        return "\n".join(line.text for line in draw(self))

    @property
    def is_analyzed(self) -> bool:
        """Whether the statement was executed (``EXPLAIN ANALYZE``)."""
        return self.root.loops is not None

    @property
    def has_times(self) -> bool:
        """Whether times were taken: not without ``ANALYZE``, nor with ``TIMING OFF``."""
        return "Actual Total Time" in self.root.properties

    @property
    def whole_ms(self) -> float:
        """The time that a saving is measured by: of the execution, else of the nodes, milliseconds."""
        return max(self.execution_ms or 0.0, self.total_ms)

    def nodes(self) -> list[Node]:
        """All nodes in the order of the plan, the root first."""
        return list(self._nodes)

    def position(self, node: Node) -> int:
        """The place of a node in :meth:`nodes`."""
        if not self._positions:
            self._positions.update({each: index for index, each in enumerate(self._nodes)})
        return self._positions[node]

    def findings(self, *, all_: bool = False) -> list[Finding]:
        """What is wrong with the plan, by what curing it could save, the most first.

        Args:
            all_: also what would save less than a hundredth of the time.
        """
        from pitstop.postgres.explain.rules import examine

        return examine(self, all_=all_)


def parse(source: object) -> Plan:
    """Read a plan.

    Args:
        source: the output of ``EXPLAIN``, with or without ``ANALYZE``, of PostgreSQL 10 to 18: text form or
            ``FORMAT JSON``; as text, bytes, objects or fetched rows; framed by psql, pgAdmin, DBeaver or the
            log of ``auto_explain``.

    Raises:
        PlanError: there is no plan in it, more than one, or a broken one; the message says what to give.
    """
    plans = parse_all(source)
    if len(plans) > 1:
        raise PlanError(f"there are {len(plans)} plans in this: give one of them, or use parse_all()")
    return plans[0]


def parse_all(source: object) -> list[Plan]:
    """Read every plan of a log or list; otherwise as :func:`parse`.

    Raises:
        PlanError: there is no plan in it, or a broken one.
    """
    return [_plan(document) for document in read_documents(source)]


def _plan(document: Mapping[str, Any]) -> Plan:
    nodes = build_tree(document)
    total_ms = settle_times(nodes)
    return Plan(
        nodes[0],
        total_ms,
        _ms(document, "Execution Time"),
        _ms(document, "Planning Time"),
        tuple(_trigger(each) for each in document.get("Triggers") or ()),
        document.get("Settings") or {},
        str(document.get("Query Text") or ""),
        document.get("JIT") or {},
        document,
        nodes,
    )


def _ms(document: Mapping[str, Any], name: str) -> float | None:
    value = document.get(name)
    if name == "Execution Time" and value is None:
        value = document.get("Duration")  # of a log
    return float(value) if isinstance(value, int | float) else None


def _trigger(told: Mapping[str, Any]) -> Trigger:
    return Trigger(
        str(told.get("Trigger Name") or ""),
        str(told.get("Constraint Name") or ""),
        str(told.get("Relation") or ""),
        float(told.get("Time") or 0.0),
        int(told.get("Calls") or 0),
    )
