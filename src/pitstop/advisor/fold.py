"""One scope that ended (or a stretch of the process scope), added to the totals that are pending."""

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.store import Latency, NPlusOneTotals, Observations, ScopeTotals, StatementTotals

if TYPE_CHECKING:
    from pitstop.sql import Location, NPlusOne, StatementGroup

__all__ = ["Fold"]

MAX_ENTRIES = 5_000


class Fold:
    """Folds one scope into observations.

    Args:
        into: what it is added to; the caller holds its lock.
        kind, name: of the scope.
    """

    __slots__ = ("into", "kind", "name", "now")

    def __init__(self, into: Observations, kind: str, name: str) -> None:
        self.into = into
        self.kind = kind
        self.name = name
        self.now = time.time()

    def _totals(self) -> ScopeTotals:
        key = (self.kind, self.name)
        totals = self.into.scopes.get(key)
        if totals is None:
            totals = self.into.scopes[key] = ScopeTotals(self.kind, self.name, first_seen=self.now)
        totals.last_seen = self.now
        return totals

    def scope(self, wall_ms: float, *, failed: bool, statements: int) -> None:
        """Count one that has ended."""
        totals = self._totals()
        totals.count += 1
        totals.errors += failed
        totals.total_ms += wall_ms
        totals.max_ms = max(totals.max_ms, wall_ms)
        totals.statements += statements
        totals.max_statements = max(totals.max_statements, statements)
        totals.latency.add(wall_ms)

    def process(self, wall_ms: float, *, first: bool, statements: int) -> None:
        """Add a further stretch of a process that goes on; ``first`` counts the process itself."""
        totals = self._totals()
        totals.count += first
        totals.total_ms += wall_ms
        totals.max_ms = max(totals.max_ms, totals.total_ms)
        totals.statements += statements
        totals.max_statements = max(totals.max_statements, totals.statements)

    def trace(self, groups: "Iterable[StatementGroup]", findings: "Iterable[NPlusOne]") -> None:
        """Add the statements of one scope and the N+1 in them."""
        for group in groups:
            self._group(group)
        for finding in findings:
            self._n_plus_one(finding)

    def execution(
        self, digest: str, location: "Location | None", text: str, ms: float, rows: int, skipped: int
    ) -> None:
        """Add one execution of a scope that had few."""
        totals = self._statement(digest, location, text)
        if totals is not None:
            _count(totals, 1, ms, ms, rows, skipped)
            self._times(digest, (ms,))

    def _group(self, group: "StatementGroup") -> None:
        totals = self._statement(group.fingerprint, group.location, group.text)
        if totals is not None:
            _count(totals, group.calls, group.total_ms, group.max_ms, group.rows, group.skipped)
            self._times(group.fingerprint, group.times)

    def _statement(self, digest: str, location: "Location | None", text: str) -> StatementTotals | None:
        key = (self.kind, self.name, digest, location)
        totals = self.into.statements.get(key)
        if totals is None:
            if len(self.into.statements) >= MAX_ENTRIES:
                return None
            totals = self.into.statements[key] = StatementTotals(*key, text=text)
        totals.last_seen = self.now
        return totals

    def _times(self, digest: str, times: "Iterable[float]") -> None:
        latency = self.into.statement_latency.get(digest)
        if latency is None:
            latency = self.into.statement_latency[digest] = Latency()
        for ms in times:
            latency.add(ms)

    def _n_plus_one(self, finding: "NPlusOne") -> None:
        what = (finding.kind, finding.parent, finding.relationship)
        place = (self.kind, self.name, *what, finding.query_location, finding.location)
        key = (*place, finding.callers)
        totals = self.into.n_plus_one.get(key)
        if totals is None:
            if len(self.into.n_plus_one) >= MAX_ENTRIES:
                return
            imports = tuple(finding.imports)
            totals = NPlusOneTotals(*place, finding.cure, imports, finding.is_expression)
            totals.callers = finding.callers
            self.into.n_plus_one[key] = totals
        totals.requests += 1
        totals.extra += finding.count
        totals.max_extra = max(totals.max_extra, finding.count)
        totals.total_ms += finding.total_ms
        totals.last_seen = self.now


def _count(
    totals: StatementTotals, calls: int, total_ms: float, max_ms: float, rows: int, skipped: int
) -> None:
    totals.calls += calls
    totals.total_ms += total_ms
    totals.max_ms = max(totals.max_ms, max_ms)
    totals.skipped += skipped
    if rows >= 0:
        totals.rows = max(totals.rows, 0) + rows
