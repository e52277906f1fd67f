"""The trace: what one block, request or operation executed, folded so that its size is bounded."""

import threading

from pitstop.location import Location
from pitstop.postgres.placeholders import skipped_rows
from pitstop.sql.detector import Detector
from pitstop.sql.lineage import Execution
from pitstop.sql.records import NPlusOne, Seen, Statement, StatementGroup

__all__ = ["Trace"]

_MAX_GROUPS = 5_000
_MAX_TIMES = 1_000
_FEW = 2  # the most executions that cannot be an N+1; a lower threshold leaves fewer


class Trace:
    """What was executed, by statement and line, and the N+1 in it. Safe to add to from several threads.

    Most requests execute one or two statements. Those wait as they came, and are folded and judged only
    when somebody asks or more come.

    Args:
        threshold, allow: as in :class:`pitstop.sql.detector.Detector`.
        keep: how many single statements are kept in ``statements`` beside the folded groups.
    """

    __slots__ = ("_allow", "_folds", "_keep", "_lock", "_threshold", "_waiting", "count", "total_ms")

    def __init__(self, *, threshold: int = 3, allow: tuple[str, ...] = (), keep: int = 0) -> None:
        self._threshold = threshold
        self._allow = allow
        self._keep = keep
        self._lock = threading.Lock()
        self._waiting: list[Seen] = []
        self._folds: _Folds | None = None
        self.count = 0
        self.total_ms = 0.0

    def add(self, seen: Seen) -> None:
        """Take note of one execution; of one that completes rows before its own rows are loaded."""
        with self._lock:
            self.count += 1
            self.total_ms += seen.ms
            if self._folds is None and self._may_wait(seen):
                self._waiting.append(seen)
            else:
                self._folded().add(seen)

    def _may_wait(self, seen: Seen) -> bool:
        # A load that completes a row is placed by what the row is now: it cannot wait.
        few = self.count <= _FEW and self.count < self._threshold
        return few and not isinstance(seen.execution, Execution)

    def _folded(self) -> "_Folds":
        """Everything so far, folded; the caller holds the lock."""
        if self._folds is None:
            self._folds = _Folds(Detector(threshold=self._threshold, allow=self._allow), self._keep)
        waiting, self._waiting = self._waiting, []
        for seen in waiting:
            self._folds.add(seen)
        return self._folds

    def forbid(self, seen: Seen) -> None:
        """Take note of a load that SQLAlchemy refused because it was attempted in async code."""
        with self._lock:
            self._folded().detector.see_forbidden(seen)

    @property
    def few(self) -> list[Seen] | None:
        """The executions while they are too few to hold an N+1; None when they were more."""
        return self._waiting if self._folds is None else None

    @property
    def statements(self) -> list[Statement]:
        """The single statements that are kept, in order."""
        with self._lock:
            return list(self._folded().statements)

    @property
    def n_plus_one(self) -> list[NPlusOne]:
        """The N+1 found so far, most statements first."""
        with self._lock:
            return self._folded().detector.findings()

    @property
    def forbidden(self) -> list[NPlusOne]:
        """The loads that async code attempted and SQLAlchemy refused (``MissingGreenlet``)."""
        with self._lock:
            return self._folded().detector.forbidden_findings()

    def groups(self) -> list[StatementGroup]:
        """The statements folded by fingerprint and line, most time first."""
        with self._lock:
            return self._folded().groups()


class _Folds:
    """The executions of a trace by statement and line, and the detector that has seen them all."""

    __slots__ = ("detector", "keep", "statements", "sums")

    def __init__(self, detector: Detector, keep: int) -> None:
        self.detector = detector
        self.keep = keep
        self.statements: list[Statement] = []
        self.sums: dict[tuple[str, Location | None], _Sum] = {}

    def add(self, seen: Seen) -> None:
        digest, location = seen.fingerprint.digest, seen.site.location
        if len(self.statements) < self.keep:
            self.statements.append(Statement(seen.text, digest, seen.ms, seen.rows, location, seen.failed))
        group = self.sums.get((digest, location))
        if group is not None:
            group.add(seen)
        elif len(self.sums) < _MAX_GROUPS:
            self.sums[digest, location] = _Sum(seen)
        self.detector.see(seen)

    def groups(self) -> list[StatementGroup]:
        groups = [
            StatementGroup(
                *(digest, each.text, location, each.calls, each.total_ms, each.max_ms, each.rows),
                tuple(each.times),
                each.skipped,
            )
            for (digest, location), each in self.sums.items()
        ]
        return sorted(groups, key=lambda group: -group.total_ms)


class _Sum:
    __slots__ = ("calls", "max_ms", "rows", "skipped", "text", "times", "total_ms")

    def __init__(self, first: Seen) -> None:
        self.text = first.text
        self.calls = 1
        self.total_ms = self.max_ms = first.ms
        self.rows = first.rows
        self.times = [first.ms]
        self.skipped = skipped_rows(first.text, first.parameters)

    def add(self, seen: Seen) -> None:
        ms, rows = seen.ms, seen.rows
        self.calls += 1
        self.skipped += skipped_rows(seen.text, seen.parameters)
        self.total_ms += ms
        self.max_ms = max(self.max_ms, ms)
        if len(self.times) < _MAX_TIMES:
            self.times.append(ms)
        self.rows = self.rows + rows if rows >= 0 <= self.rows else -1
