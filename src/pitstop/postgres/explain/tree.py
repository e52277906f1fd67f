"""A plan drawn as a tree for a terminal: where the time goes, and the way there."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pitstop.postgres.explain.estimates import estimate_factor
from pitstop.postgres.explain.judging import weight
from pitstop.postgres.explain.node import Node

if TYPE_CHECKING:
    from pitstop.postgres.explain.plan import Plan

__all__ = ["Line", "draw"]

Kind = Literal["head", "node", "path", "worst", "detail"]

_HEAVY = 0.1
_TRIFLING = 0.01
_MANY_CHILDREN = 6
_FIGURES = 36  # columns before the tree
_LABEL = 24  # columns that a label has at the least
_WRONG = 10.0
_DETAILS = (
    "Filter",
    "Join Filter",
    "Hash Cond",
    "Merge Cond",
    "Index Cond",
    "Recheck Cond",
    "Sort Key",
    "Group Key",
)
_MARKS: dict[Kind, str] = {"path": ">", "worst": "*"}


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the drawing; ``kind`` says how to colour it, ``node`` whose it is."""

    text: str
    kind: Kind
    node: Node | None = None


def draw(plan: "Plan", *, width: int = 80) -> list[Line]:
    """The tree in lines: own time, its share, rows, rows expected, node.

    The node that takes most is marked ``*``, those on the way to it ``>``; rows that were ten times more or
    fewer than expected have a ``!``. What takes less than a hundredth is left out where there is much of it.

    Args:
        plan: what to draw.
        width: columns of the terminal, 60 or more.
    """
    return _Drawing(plan, max(width, 60)).lines()


class _Drawing:
    def __init__(self, plan: "Plan", width: int) -> None:
        self._plan = plan
        self._width = width
        nodes = plan.nodes()
        self._worst = max(nodes, key=lambda node: weight(plan, node))
        self._path = {self._worst, *self._worst.above()}
        self._below = dict.fromkeys(nodes, 0)
        for node in reversed(nodes):
            if node.parent is not None:
                self._below[node.parent] += self._below[node] + 1

    def lines(self) -> list[Line]:
        found = [Line(self._head(), "head")]
        waiting: list[tuple[Node | str, str, str]] = [(self._plan.root, "", "")]
        while waiting:
            node, first, rest = waiting.pop()
            if isinstance(node, str):
                found.append(Line(f"{'':{_FIGURES}}{first}{node}"[: self._width], "detail"))
                continue
            found += self._node(node, first, rest)
            children = self._shown(node)
            for index, child in reversed(list(enumerate(children))):
                last = index == len(children) - 1
                waiting.append((child, f"{rest}{'└ ' if last else '├ '}", f"{rest}{'  ' if last else '│ '}"))
        return found

    def _head(self) -> str:
        own = "own ms" if self._plan.has_times else "own cost"
        rows = "rows" if self._plan.is_analyzed else ""
        return f"{own:>10} {'':>4} {rows:>9} {'expected':>9}"

    def _node(self, node: Node, first: str, rest: str) -> list[Line]:
        kind: Kind = "worst" if node is self._worst else "path" if node in self._path else "node"
        share = weight(self._plan, node)
        room = max(self._width - _FIGURES, _LABEL)
        deep = len(first) > room - _LABEL
        indent = f"({node.depth}) " if deep else first
        label = _cut(f"{indent}{_title(node)}{self._more(node)}", room)
        lines = [Line(f"{self._figures(node, share)} {_MARKS.get(kind, ' ')} {label}", kind, node)]
        if share >= _HEAVY:
            under = f"{rest}{'│ ' if node.children else '  '}" if not deep else "  "
            lines += [
                Line(f"{'':{_FIGURES}}{_cut(under + text, room)}", "detail", node) for text in _details(node)
            ]
        return lines

    def _figures(self, node: Node, share: float) -> str:
        times = self._plan.has_times
        own = node.self_ms if times else share * self._plan.root.total_cost
        rows = "never" if node.never_executed else "" if node.rows is None else _short(node.total_rows)
        expected = (
            "" if node.estimated_rows is None else _short(node.estimated_rows * max(node.loops or 1, 1))
        )
        off = "!" if estimate_factor(node) >= _WRONG else " "
        return f"{_time(own):>10} {share:>4.0%} {rows:>9} {expected:>8}{off}"

    def _shown(self, node: Node) -> list[Node | str]:
        if self._is_trifling(node) and self._below[node] > 2:
            return []
        if len(node.children) <= _MANY_CHILDREN:
            return list(node.children)
        shown: list[Node | str] = [child for child in node.children if not self._is_trifling(child)]
        shown = shown or list(node.children[:_MANY_CHILDREN])
        left = len(node.children) - len(shown)
        return [*shown, f"... {left:,} more that take next to nothing"] if left else shown

    def _more(self, node: Node) -> str:
        if self._is_trifling(node) and self._below[node] > 2:
            return f" (+ {self._below[node]:,} nodes)"
        return ""

    def _is_trifling(self, node: Node) -> bool:
        if self._plan.has_times:
            return node.total_ms < _TRIFLING * self._plan.total_ms and node not in self._path
        return node.total_cost < _TRIFLING * self._plan.root.total_cost and node not in self._path


def _title(node: Node) -> str:
    name = node.text("Subplan Name")
    loops = (node.loops or 0) / node.processes
    times = f" x{loops:,.0f}" if loops >= 1.5 else ""
    return f"{name}: {node.label}{times}" if name and node.place else f"{node.label}{times}"


def _details(node: Node) -> list[str]:
    shown = [f"{name}: {node.text(name)}" for name in _DETAILS if node.text(name)][:2]
    for by in ("Filter", "Join Filter", "Index Recheck"):
        removed = node.number(f"Rows Removed by {by}") * (node.loops or 0)
        if removed:
            shown.append(f"removed: {_short(removed)} rows by {by.lower()}")
    if node.text("Sort Space Type") == "Disk":
        shown.append(f"on disk: {node.number('Sort Space Used') / 1024:,.1f} MB")
    return shown


def _time(value: float) -> str:
    return f"{value:,.3f}" if value < 1 else f"{value:,.2f}" if value < 100 else f"{value:,.0f}"


def _short(value: float) -> str:
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if value >= size:
            return f"{value / size:,.1f} {unit}"
    return f"{value:,.0f}"


def _cut(text: str, room: int) -> str:
    line = " ".join(text.split("\n"))
    return line if len(line) <= room else f"{line[: room - 1]}…"
