"""A statement timed in two states of the replica, in turn: which is faster, and how sure that is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from pitstop.advisor.whatif import BuiltIndex, Replica, Run
from pitstop.statistics import Ratio, paired_ratio

__all__ = ["Comparison", "Subject", "compare", "index_names", "names_read_whole", "uses"]

_MOST_ROUNDS, _LEAST_ROUNDS = 9, 3
_BUDGET_MS = 4_000.0  # of one statement in one state
_QUICK_MS = 20.0  # what takes less is run several times in a round
_MOST_REPEATS = 5
_SHARE = 0.05
_CLEAR = 2.0  # a factor that needs no interval
_WIDE = 1.5  # from one end of an interval to the other


@dataclass(frozen=True, slots=True)
class Subject:
    """A statement that can be run.

    Attributes:
        number: in the advice.
        text: SQL; weight: how often it runs.
        values: sets of values of its parameters, one empty set if it has none; each round takes the next.
    """

    number: int
    text: str
    weight: float
    values: tuple[tuple[str | None, ...], ...] = ((),)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One statement in two states.

    Attributes:
        before_ms, after_ms: medians, of planning and executing on the server.
        ratio: of the second to the first, over pairs of runs.
        before, after: the plans, empty where the time ran out.
    """

    before_ms: float
    after_ms: float
    ratio: Ratio
    before: dict[str, Any]
    after: dict[str, Any]

    @property
    def is_same_plan(self) -> bool:
        """Whether both states have one plan: what differs in time is noise then, unless rows are written."""
        return bool(self.before) and _shape(self.before) == _shape(self.after)

    @property
    def is_write(self) -> bool:
        """Whether rows are written."""
        return "ModifyTable" in {node["Node Type"] for node in _walk(self.after or self.before)}

    @property
    def is_faster(self) -> bool:
        """By more than 5%, with an interval that does not hold 1."""
        limit = 1.0 if self.ratio.high is not None else 1 / _CLEAR
        return self._may_differ and (self.ratio.high or self.ratio.value) < limit and self._is_below(_SHARE)

    @property
    def is_slower(self) -> bool:
        """By more than 5%, with an interval that does not hold 1."""
        limit = 1.0 if self.ratio.low is not None else _CLEAR
        above = self.ratio.value > 1 + _SHARE and self.after_ms > self.before_ms * (1 + _SHARE)
        return self._may_differ and (self.ratio.low or self.ratio.value) > limit and above

    @property
    def is_unclear(self) -> bool:
        """Whether it may well be faster, and the times vary too much to tell."""
        low, high = self.ratio.low, self.ratio.high
        if low is None or high is None or not self._may_differ or self.is_faster or self.is_slower:
            return False
        return low < 1 - _SHARE and (self.ratio.value < 1 - _SHARE or high > _WIDE * low)

    @property
    def noise(self) -> str:
        """How much the times vary, in words."""
        low, high = self.ratio.low or 0.0, self.ratio.high or 0.0
        return (
            f"too noisy: {self.before_ms:,.1f} to {self.after_ms:,.1f} ms, anything between {low:.2f} and "
            f"{high:.2f} times as long; try again on a quiet machine"
        )

    @property
    def saved_ms(self) -> float:
        """What the second state saves of one execution; 0 where they do not differ."""
        return self.before_ms - self.after_ms if self.is_faster or self.is_slower else 0.0

    @property
    def _may_differ(self) -> bool:
        return self.is_write or not self.is_same_plan

    def _is_below(self, share: float) -> bool:
        return self.ratio.value < 1 - share and self.after_ms < self.before_ms * (1 - share)


def compare(
    replica: Replica,
    subject: Subject,
    before: Sequence[BuiltIndex],
    after: Sequence[BuiltIndex],
    *,
    timeout_s: float,
    patience: int = 1,
) -> Comparison:
    """Time a statement with some indexes and with others, in turn.

    Args:
        replica: to run it on.
        subject: the statement.
        before, after: the indexes of the two states.
        timeout_s: of one execution.
        patience: how many times more rounds than usual.

    Raises:
        WhatIfError: it fails.
    """
    states = (before, after)
    first = [_round(replica, subject, 0, each, timeout_s) for each in states]
    times: list[list[float]] = [[], []]
    for number in range(_rounds(first) * patience):
        for side in (0, 1) if number % 2 == 0 else (1, 0):
            times[side].append(
                median(each.ms for each in _round(replica, subject, number, states[side], timeout_s))
            )
    if not times[0]:
        times = [[first[0][0].ms], [first[1][0].ms]]
    ratio = paired_ratio(times[1], times[0]) or Ratio(1.0, None, None)
    return Comparison(median(times[0]), median(times[1]), ratio, first[0][0].plan, first[1][0].plan)


def uses(plan: dict[str, Any], index: BuiltIndex) -> bool:
    """Whether a plan reads an index, or writes its table."""
    written = any(
        node["Node Type"] == "ModifyTable" and node["Operation"] != "Delete" and _is_of(node, index)
        for node in _walk(plan)
    )
    return written or bool(index.names & set(index_names(plan)))


def index_names(plan: dict[str, Any]) -> Iterator[str]:
    """The indexes that a plan reads, as it calls them."""
    return (node["Index Name"] for node in _walk(plan) if "Index Name" in node)


def names_read_whole(plan: dict[str, Any]) -> Iterator[str]:
    """The indexes that a plan reads from end to end in the place of their tables."""
    return (
        node["Index Name"]
        for node in _walk(plan)
        if node["Node Type"] == "Index Only Scan" and "Index Cond" not in node
    )


def _round(
    replica: Replica, subject: Subject, number: int, state: Sequence[BuiltIndex], timeout_s: float
) -> list[Run]:
    """The runs of one round; of a quick statement several, after one that nobody counts."""
    replica.show(state)
    values = subject.values[number % len(subject.values)]

    def run() -> Run:
        return replica.run(subject.text, values, timeout_s=timeout_s)

    runs = [run()]
    if runs[0].ms < _QUICK_MS:  # the server has read the catalog anew, and perhaps the pages
        repeats = min(_MOST_REPEATS, max(1, int(_QUICK_MS / max(runs[0].ms, 0.01))))
        runs = [run() for _ in range(repeats)]
    return runs


def _rounds(first: Sequence[Sequence[Run]]) -> int:
    """None for what is slow beyond doubt, else as many as the time allows."""
    slowest = max(runs[0].ms for runs in first)
    if not all(runs[0].ended for runs in first) or slowest > _BUDGET_MS / _LEAST_ROUNDS:
        return 0
    return min(_MOST_ROUNDS, max(_LEAST_ROUNDS, int(_BUDGET_MS / slowest)))


def _is_of(node: dict[str, Any], index: BuiltIndex) -> bool:
    name: str = node.get("Relation Name", "")
    return index.table.endswith((f".{name}", f'."{name}"'))


def _shape(plan: dict[str, Any]) -> list[tuple[object, ...]]:
    names = ("Node Type", "Relation Name", "Index Name", "Join Type", "Strategy", "Parent Relationship")
    return [tuple(node.get(name) for name in names) for node in _walk(plan)]


def _walk(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if plan:
        yield plan
    for child in plan.get("Plans", ()):
        yield from _walk(child)
