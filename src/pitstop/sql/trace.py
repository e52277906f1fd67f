"""The trace: what one block, request or operation executed, folded so that its size is bounded."""

import threading

from pitstop.sql.detector import Detector
from pitstop.sql.lineage import Execution, Origin
from pitstop.sql.location import Location, Site
from pitstop.sql.records import NPlusOne, Statement, StatementGroup

__all__ = ["Trace"]

_MAX_GROUPS = 5_000
_MAX_TIMES = 1_000


class _Sum:
    __slots__ = ("calls", "max_ms", "rows", "text", "times", "total_ms")

    def __init__(self, first: Statement) -> None:
        self.text = first.text
        self.calls = 1
        self.total_ms = self.max_ms = first.ms
        self.rows = first.rows
        self.times = [first.ms]

    def add(self, ms: float, rows: int) -> None:
        self.calls += 1
        self.total_ms += ms
        self.max_ms = max(self.max_ms, ms)
        if len(self.times) < _MAX_TIMES:
            self.times.append(ms)
        self.rows = self.rows + rows if rows >= 0 <= self.rows else -1


class Trace:
    """What was executed, by statement and line, and the N+1 in it. Safe to add to from several threads.

    Args:
        threshold, allow: as in :class:`pitstop.sql.detector.Detector`.
        keep: how many single statements are kept in ``statements`` beside the folded groups.
    """

    __slots__ = ("_detector", "_keep", "_lock", "_sums", "count", "statements", "total_ms")

    def __init__(self, *, threshold: int = 3, allow: tuple[str, ...] = (), keep: int = 0) -> None:
        self._detector = Detector(threshold=threshold, allow=allow)
        self._keep = keep
        self._lock = threading.Lock()
        self._sums: dict[tuple[str, Location | None], _Sum] = {}
        self.count = 0
        self.total_ms = 0.0
        self.statements: list[Statement] = []

    def add(
        self, statement: Statement, site: Site, execution: Execution | Origin | None, parameters: object
    ) -> None:
        """Take note of one execution; arguments as for :meth:`Detector.see`."""
        with self._lock:
            self.count += 1
            self.total_ms += statement.ms
            if len(self.statements) < self._keep:
                self.statements.append(statement)
            key = (statement.fingerprint, site.location)
            group = self._sums.get(key)
            if group is not None:
                group.add(statement.ms, statement.rows)
            elif len(self._sums) < _MAX_GROUPS:
                self._sums[key] = _Sum(statement)
            self._detector.see(statement, site, execution, parameters)

    @property
    def n_plus_one(self) -> list[NPlusOne]:
        """The N+1 found so far, most statements first."""
        with self._lock:
            return self._detector.findings()

    def groups(self) -> list[StatementGroup]:
        """The statements folded by fingerprint and line, most time first."""
        with self._lock:
            groups = [
                StatementGroup(
                    *(digest, each.text, location, each.calls, each.total_ms, each.max_ms, each.rows),
                    tuple(each.times),
                )
                for (digest, location), each in self._sums.items()
            ]
        return sorted(groups, key=lambda group: -group.total_ms)
