"""A plan in text form, read into the document that ``EXPLAIN (FORMAT JSON)`` would have given."""

import re
from typing import Any

from pitstop.errors import PlanError
from pitstop.postgres.explain.text_property import read_property
from pitstop.postgres.explain.text_summary import read_summary
from pitstop.postgres.explain.text_title import read_title, split_line

__all__ = ["is_title", "read_text"]

_ARROW = "->"
_FIGURES = re.compile(
    r"\((?:cost=[\d.]+\.\.|actual (?:time=[\d.]+\.\.[\d.]+ )?rows=[\d.]+ loops=|never executed)"
)
_HEADER = re.compile(r"(?:InitPlan|SubPlan|CTE) \S.*")
_PROPERTY = re.compile(r"(?P<key>[A-Z][A-Za-z0-9/() -]*?):(?: +(?P<value>.*))?")
_WORKER = re.compile(r"Worker (?P<number>\d+):(?: +(?P<rest>.*))?")
_ACTUAL = re.compile(r"actual (?:time=([\d.]+?)\.\.([\d.]+) )?rows=([\d.]+) loops=(\d+)")
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"")
_BARE = ("Task", "Distributed Subplan")  # of Citus
_SOME = {"Total Cost", "Actual Rows"}
_TARGET = re.compile(r"(?:Foreign )?(?:Insert|Update|Delete|Merge) on ")
_KINDS = re.compile(
    r"(?:[A-Z][A-Za-z]+ ){0,5}(?:Scan|Join|Loop|Aggregate|\w+Aggregate|Append|Sort|Limit|Result|Gather|Merge"
    r"|Hash|Unique|Union|Materialize|Memoize|ProjectSet|LockRows|WindowAgg|Group|Backward"
    r"|(?:Hash)?SetOp \w+( All)?|Insert|Update|Delete)(?: using .+)?(?: on .+)?"
)


def is_title(line: str) -> bool:
    """Whether a line begins a node: by its figures, or by what it names where there are none."""
    text = line.strip()
    return bool(_FIGURES.search(text) or text.startswith(_ARROW) or _KINDS.fullmatch(text))


def read_text(lines: list[str]) -> dict[str, Any]:
    """Read a plan.

    Args:
        lines: the plan alone, its root first, with the indentation it was printed with.

    Raises:
        PlanError: the indentation, by which a node belongs to another, is lost.
    """
    reader = _Reader()
    for line in lines:
        reader.take(line)
    return reader.document


class _Reader:
    """Reads line by line; a node belongs to the last one whose arrow stands further left."""

    def __init__(self) -> None:
        self.document: dict[str, Any] = {}
        self._margin = 0
        self._open: list[tuple[int, dict[str, Any]]] = []  # the column of each node or header, and its node
        self._header: dict[int, tuple[str, str]] = {}  # by column: of what the next node is the plan
        self._node: dict[str, Any] = {}
        self._worker: tuple[int, dict[str, Any]] | None = None
        self._last: tuple[dict[str, Any], str] | None = None  # the text that a next line may continue
        self._summary = ""

    def take(self, line: str) -> None:
        text = line.strip()
        if self._continues(line) or not text:
            return
        column = len(line) - len(line.lstrip()) - self._margin
        if not self.document:
            self._margin = column
            self._begin(0, text.removeprefix(_ARROW).lstrip())
        elif text.startswith(_ARROW):
            self._begin(column, text.removeprefix(_ARROW).lstrip())
        elif column <= 0 or self._summary:
            self._summarise(column, text)
        elif _HEADER.fullmatch(text):
            self._announce(column, text)
        else:
            self._describe(column, text)

    def _continues(self, line: str) -> bool:
        """Whether a line goes on with a literal that has a line break in it, or with a broken condition."""
        if self._last is None:
            return False
        told, key = self._last
        if told[key].count("'") % 2:
            told[key] = f"{told[key]}\n{line}"
        elif _is_open(told[key]) and not (is_title(line) or _PROPERTY.fullmatch(line.strip())):
            told[key] += line
        else:
            return False
        return True

    def _begin(self, column: int, text: str) -> None:
        title, figures = split_line(text)
        node = {**read_title(title), **figures}
        self._verify_whole(title, figures)
        if not self.document:
            self.document["Plan"] = node
        else:
            self._close(column)
            if not self._open:
                raise PlanError(
                    f"the indentation of the plan is lost at '{text[:60]}': paste it as it was printed, "
                    "or use EXPLAIN (FORMAT JSON)"
                )
            header_column, parent = self._open[-1]
            kind, name = self._header.get(header_column, ("", ""))
            node |= {"Parent Relationship": kind, "Subplan Name": name} if kind else {}
            parent.setdefault("Plans", []).append(node)
        self._open.append((column, node))
        self._node, self._worker, self._last = node, None, None

    def _verify_whole(self, title: str, figures: dict[str, Any]) -> None:
        """Either all nodes have figures or none."""
        told = self.document.get("Plan", figures)
        lacks = not figures and told.keys() & _SOME and not title.startswith(_BARE)
        if "(cost=" in title or "(actual " in title or lacks:
            raise PlanError(
                f"the plan breaks off or was changed within '{title[:60]}': paste it whole, as it was printed"
            )

    def _announce(self, column: int, text: str) -> None:
        self._close(column)
        parent = self._open[-1][1]
        self._open.append((column, parent))
        self._header[column] = ("SubPlan" if text.startswith("SubPlan") else "InitPlan", text)

    def _close(self, column: int) -> None:
        while self._open and self._open[-1][0] >= column:
            closed, _ = self._open.pop()
            self._header.pop(closed, None)

    def _describe(self, column: int, text: str) -> None:
        worker = _WORKER.fullmatch(text)
        if worker:
            self._begin_worker(column, worker)
            return
        owner = self._node
        if self._worker is not None:
            at, told = self._worker
            owner = told if column > at else self._node
        self._add(owner, text)

    def _begin_worker(self, column: int, match: "re.Match[str]") -> None:
        workers = self._node.setdefault("Workers", [])
        number = int(match["number"])
        told = next((each for each in workers if each["Worker Number"] == number), None)
        if told is None:
            told = {"Worker Number": number}
            workers.append(told)
        self._worker = (column, told)
        rest = match["rest"] or ""
        actual = _ACTUAL.match(rest)
        if actual:
            told |= _actual(actual)
        elif rest:
            self._add(told, rest)

    def _add(self, owner: dict[str, Any], text: str) -> None:
        match = _PROPERTY.fullmatch(text)
        if match:
            found = read_property(match["key"], match["value"] or "", self._node["Node Type"])
            owner |= found
            only = next(iter(found), "")
            self._last = (owner, only) if isinstance(found.get(only), str) else None
        elif self._node["Node Type"] in ("ModifyTable", "Foreign Scan") and _TARGET.match(text):
            target = {key: value for key, value in read_title(text).items() if key != "Node Type"}
            owner.setdefault("Target Tables", []).append(target)

    def _summarise(self, column: int, text: str) -> None:
        if column <= 0:
            self._summary = text
        read_summary(self.document, self._summary, text)


def _is_open(value: str) -> bool:
    """Whether a parenthesis is not closed: a terminal broke the line."""
    code = _QUOTED.sub("", value)
    return code.count("(") > code.count(")")


def _actual(match: "re.Match[str]") -> dict[str, Any]:
    times = {"Actual Startup Time": float(match[1]), "Actual Total Time": float(match[2])} if match[1] else {}
    rows = float(match[3]) if "." in match[3] else int(match[3])
    return {**times, "Actual Rows": rows, "Actual Loops": int(match[4])}
