"""What a set of indexes is worth: statements made cheaper against space taken and writes made dearer."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pitstop.advisor.indexes.workload import WorkloadStatement
from pitstop.advisor.whatif import Hypothetical, WhatIf

__all__ = ["PlannedStatement", "Pricing", "write_cost"]

# Planner units (a page read in sequence is 1, about 10 microseconds).
_OVERHEAD = 2.0  # of any statement: what no index can save
_BTREE_WRITE = 1.0
_ENTRY_WRITE = 0.3
_METHOD_WRITE = {"brin": 0.05, "gist": 2.0, "hash": 1.0}
_SIZE_WEIGHT = 0.2  # of an index as large as its table
_CROWD_WEIGHT = 0.015  # of the square of how many indexes a table gets: the tenth must do more than the first
_NEAR = 0.02  # of a logarithm: a statement that is so near to its best gains nothing more
_WRITE_WEIGHT = 0.05  # of a B-tree, for the writes that no workload shows


@dataclass(frozen=True, slots=True)
class PlannedStatement:
    """A statement of the workload that can be planned.

    Attributes:
        statement: it.
        tables: that it reads or writes, quoted, with their schemas.
        writes: the table whose indexes it must keep up, or an empty text.
        operation: ``"Insert"``, ``"Update"``, ``"Delete"`` or ``"Merge"`` where it writes.
        written_rows: of one execution.
        candidates: numbers of those that were made for it.
    """

    statement: WorkloadStatement
    tables: frozenset[str]
    writes: str = ""
    operation: str = ""
    written_rows: float = 0.0
    candidates: tuple[int, ...] = ()


@dataclass(slots=True)
class _Known:
    cost: float
    shown: frozenset[int]
    used: frozenset[int]


@dataclass(slots=True)
class Pricing:
    """Costs of a workload under sets of candidates, each plan asked for once.

    Attributes:
        whatif: the copy that plans.
        statements: of the workload.
        candidates: that exist in the copy.
        table_bytes: of each table.
    """

    whatif: WhatIf
    statements: Sequence[PlannedStatement]
    candidates: list[Hypothetical]
    table_bytes: dict[str, int]
    _plans: dict[tuple[int, tuple[int, ...]], _Known] = field(default_factory=dict)
    _asked: dict[int, list[_Known]] = field(default_factory=dict)
    _floors: dict[int, float] = field(default_factory=dict)
    _leads: dict[int, set[tuple[str, str, str]]] = field(default_factory=dict)
    _weights: list[float] = field(default_factory=list)
    _all_bytes: int = 0

    def gain(self, chosen: Sequence[int]) -> float:
        """How much a set is worth: the logarithm of what it divides the mean cost by, less what it takes.

        Each statement counts by the logarithm of its calls, so that one that runs a million times matters
        most and one that runs once still does.
        """
        saved = 0.0
        for number, weight in enumerate(self.weights):
            before, after = self.cost(number, ()), self.cost(number, chosen)
            saved += weight * math.log((before + _OVERHEAD) / (after + _OVERHEAD))
        return saved - self._burden(chosen)

    @property
    def weights(self) -> list[float]:
        """Of the statements: 1 for the most frequent."""
        if not self._weights:
            least = min(
                (each.statement.weight for each in self.statements if each.statement.weight > 0), default=1
            )
            raw = [1 + math.log(max(each.statement.weight, least) / least) for each in self.statements]
            self._weights = [each / max(raw) for each in raw]
        return self._weights

    def cost(self, number: int, chosen: Iterable[int]) -> float:
        """Of one statement, with what it writes into the indexes."""
        chosen = tuple(chosen)
        return self._plan(number, self._relevant(number, chosen)).cost + self._writing(number, chosen)

    def used(self, number: int, chosen: Iterable[int]) -> tuple[int, ...]:
        """Which of a set one statement's plan uses."""
        chosen = self._relevant(number, chosen)
        used = self._plan(number, chosen).used
        return tuple(each for each in chosen if each in used)

    def settled(self, number: int, chosen: Sequence[int]) -> tuple[float, tuple[int, ...], tuple[str, ...]]:
        """The cost of one statement with all of a set there, which of it the plan uses, and which others.

        The search asks only about those that a statement was given; the planner may take others, such as an
        index that holds all it needs of a table and is smaller.
        """
        self.whatif.show([self.candidates[each] for each in chosen])
        plan = self.whatif.plan(self.statements[number].statement.text)
        names = frozenset(_index_names(plan))
        used = tuple(each for each in chosen if names & self._names(each))
        present = names.difference(*(self._names(each) for each in chosen))
        return plan["Total Cost"] + self._writing(number, chosen), used, tuple(sorted(present))

    def of_statement(self, number: int) -> tuple[int, ...]:
        """The candidates that were made for a statement."""
        return self.statements[number].candidates

    def share(self, number: int) -> float:
        """The size of a candidate, as a share of all tables that the workload touches."""
        if not self._all_bytes:
            tables = {name for each in self.statements for name in each.tables}
            self._all_bytes = max(sum(self.table_bytes.get(name, 0) for name in tables), 8192)
        return self.candidates[number].size_bytes / self._all_bytes

    def rivals(self, number: int) -> list[int]:
        """The other candidates for statements that this one was made for, on its table."""
        table = self.candidates[number].table
        served = [each for each in self.statements if number in each.candidates]
        found = dict.fromkeys(one for each in served for one in each.candidates)
        return [one for one in found if one != number and self.candidates[one].table == table]

    def _relevant(self, number: int, chosen: Iterable[int]) -> tuple[int, ...]:
        """Those that a statement's plan might use: they begin as one does that was made for it."""
        leads = self._leads.get(number)
        if leads is None:
            own = self.statements[number].candidates
            leads = self._leads[number] = {_lead(self.candidates[each]) for each in own}
        return tuple(sorted({each for each in chosen if _lead(self.candidates[each]) in leads}))

    def _plan(self, number: int, chosen: tuple[int, ...]) -> _Known:
        known = self._plans.get((number, chosen)) or self._told(number, chosen)
        if known is None:
            self.whatif.show([self.candidates[each] for each in chosen])
            plan = self.whatif.plan(self.statements[number].statement.text)
            names = frozenset(_index_names(plan))
            used = frozenset(each for each in chosen if names & self._names(each))
            known = _Known(plan["Total Cost"], frozenset(chosen), used)
            self._asked.setdefault(number, []).append(known)
        self._plans[number, chosen] = known
        return known

    def _told(self, number: int, chosen: tuple[int, ...]) -> _Known | None:
        """A plan that was asked for with more indexes and uses none but these is the plan with these."""
        wanted = frozenset(chosen)
        for known in self._asked.get(number, ()):
            if known.used <= wanted <= known.shown:
                return known
        return self._best_already(number, chosen)

    def _best_already(self, number: int, chosen: tuple[int, ...]) -> _Known | None:
        """The plan of a part of these, if even all candidates together would hardly better it."""
        best = self._floor(number)
        wanted = frozenset(chosen)
        for known in self._asked.get(number, ()):
            if known.shown < wanted and math.log((known.cost + _OVERHEAD) / (best + _OVERHEAD)) < _NEAR:
                return known
        return None

    def _floor(self, number: int) -> float:
        """The cost with every candidate that was made for a statement."""
        if number not in self._floors:
            own = self.statements[number].candidates
            self.whatif.show([self.candidates[each] for each in own])
            plan = self.whatif.plan(self.statements[number].statement.text)
            names = frozenset(_index_names(plan))
            used = frozenset(each for each in own if names & self._names(each))
            self._asked.setdefault(number, []).append(_Known(plan["Total Cost"], frozenset(own), used))
            self._floors[number] = plan["Total Cost"]
        return self._floors[number]

    def _names(self, number: int) -> set[str]:
        return {*self.candidates[number].names}

    def _burden(self, chosen: Sequence[int]) -> float:
        crowds = Counter(self.candidates[each].table for each in chosen)
        own = sum(self._burden_of(self.candidates[each]) for each in chosen)
        return own + _CROWD_WEIGHT * sum(count * count for count in crowds.values())

    def _burden_of(self, index: Hypothetical) -> float:
        share = index.size_bytes / max(self.table_bytes.get(index.table, 0), 8192)
        return _SIZE_WEIGHT * share + _WRITE_WEIGHT * math.log2(1 + write_cost(index))

    def _writing(self, number: int, chosen: Iterable[int]) -> float:
        """What one execution of a statement costs these indexes."""
        planned = self.statements[number]
        if not planned.writes:
            return 0.0
        return planned.written_rows * sum(self._write_cost(planned, self.candidates[each]) for each in chosen)

    def _write_cost(self, planned: PlannedStatement, index: Hypothetical) -> float:
        if planned.writes != index.table or planned.operation == "Delete":
            return 0.0
        if planned.operation == "Update" and not _touches(planned.statement.text, index):
            return 0.0
        return write_cost(index)


def _lead(index: Hypothetical) -> tuple[str, str, str]:
    """Table, method and first key: what a plan must be able to use of an index to use it at all."""
    first = re.match(r"[^,]*?\(\s*((?:\([^()]*\)|[^,()])+)", index.ddl.partition(index.table)[2])
    key = re.sub(r"(?: DESC| ASC| NULLS (?:FIRST|LAST))+$", "", first[1].strip()) if first else ""
    return index.table, index.method, key


def write_cost(index: Hypothetical) -> float:
    """What one more row costs an index, in planner units (1 is about 10 microseconds)."""
    share = min(1.0, index.rows / index.table_rows) if index.table_rows else 1.0
    if index.method == "gin":
        return share * max(_BTREE_WRITE, _ENTRY_WRITE * index.entries)
    return share * _METHOD_WRITE.get(index.method, _BTREE_WRITE)


def _touches(update: str, index: Hypothetical) -> bool:
    """Whether an UPDATE sets a column that an index holds: others leave it alone (heap-only tuples)."""
    found = re.search(r"\bset\b(.*?)(?:\bwhere\b|\breturning\b|$)", update, re.IGNORECASE | re.DOTALL)
    names = set(re.findall(r'([^\W\d][\w$]*)"?\s*=', found[1])) if found else set()
    return bool(names & set(re.findall(r"[^\W\d][\w$]*", index.ddl.partition(" ON ")[2].partition(" ")[2])))


def _index_names(node: dict[str, Any]) -> Iterable[str]:
    if "Index Name" in node:
        yield node["Index Name"]
    for child in node.get("Plans", ()):
        yield from _index_names(child)
