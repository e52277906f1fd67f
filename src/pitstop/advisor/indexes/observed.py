"""Index advice for what was observed: which are missing, who gains by each, and what is read whole today."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import psycopg

from pitstop.advisor.indexes.advice import Advice, AdvisedIndex, advise
from pitstop.advisor.indexes.leading import leads_with
from pitstop.advisor.indexes.table import read_tables
from pitstop.advisor.indexes.workload import WorkloadStatement, observed_statements, planned_text
from pitstop.advisor.whatif import WhatIf, open_whatif
from pitstop.errors import PitstopError, SettingsError, WhatIfError
from pitstop.postgres.catalog import read_statements
from pitstop.postgres.statements import StatementStats
from pitstop.schema import CreateIndex, parse_change
from pitstop.store import Observations, StatementTotals

__all__ = ["Gain", "ObservedAdvice", "advise_observed"]

Location = tuple[str, int, str]
Observed = TypeVar("Observed", StatementTotals, StatementStats)


@dataclass(frozen=True, slots=True)
class Gain:
    """What one statement gains.

    Attributes:
        text: SQL.
        cost_before, cost_after: planner units of one execution, without and with all advised indexes.
        calls, total_ms: executions that were observed, and milliseconds in all of them.
        scope, location: the route (operation, script) and the line that took most of it; empty and None
            where only the server counted it.
    """

    text: str
    cost_before: float
    cost_after: float
    calls: int
    total_ms: float
    scope: str = ""
    location: Location | None = None

    @property
    def saved_ms(self) -> float:
        """Of ``total_ms``, as much as the planner's costs foretell."""
        return self.total_ms * (1 - self.cost_after / self.cost_before) if self.cost_before else 0.0


@dataclass(frozen=True, slots=True)
class ObservedAdvice:
    """What the advisor said.

    Attributes:
        advice: None where it could not be asked.
        problem: why not; empty where it could.
        scans: tables by ``schema.name``, with the statements whose plan of today reads them from end to end.
        roots: of a partition the partitioned table, by the same names.
        record: the observed statements by the text that was planned.
        server: those that only the server counted, likewise.
    """

    advice: Advice | None = None
    problem: str = ""
    scans: Mapping[str, Sequence[str]] = field(default_factory=dict)
    record: Mapping[str, Sequence[StatementTotals]] = field(default_factory=dict)
    server: Mapping[str, Sequence[StatementStats]] = field(default_factory=dict)
    roots: Mapping[str, str] = field(default_factory=dict)

    @property
    def indexes(self) -> tuple[AdvisedIndex, ...]:
        """The advised ones, most useful first."""
        return self.advice.indexes if self.advice is not None else ()

    @staticmethod
    def leads_with(index: AdvisedIndex, ddl: str) -> bool:
        """Whether an advised index is also the one that a foreign key lacks, whose DDL is given."""
        return leads_with(index.ddl, ddl)

    def gains(self, index: AdvisedIndex) -> list[Gain]:
        """What the statements gain that use an index, the most time first."""
        if self.advice is None:
            return []
        used = [self.advice.statements[number] for number in index.statements]
        found = [self._gain(each.text, each.cost_before, each.cost_after) for each in used]
        return sorted(found, key=lambda each: (-each.saved_ms, each.cost_after - each.cost_before, each.text))

    def cures(self, fingerprint: str) -> list[str]:
        """The DDL of the indexes that would halve the planner's cost of an observed statement."""
        observed = {
            text
            for side in (self.record, self.server)
            for text, same in side.items()
            if any(each.fingerprint == fingerprint for each in same)
        }
        told = self.advice.statements if self.advice is not None else ()
        halved = [each for each in told if each.text in observed and each.cost_after <= each.cost_before / 2]
        return list(dict.fromkeys(ddl for each in halved for ddl in each.indexes))

    def left(self, table: str) -> list[Gain]:
        """The statements that read a table (``schema.name``) whole and would go on doing so."""
        if self.advice is None:
            return []
        names = (table, self.roots.get(table))
        served = [each for each in self.indexes if _table_of(each.ddl) in names]
        spared = {self.advice.statements[number].text for each in served for number in each.statements}
        left = set(self.scans.get(table, ())) - spared
        found = [
            self._gain(each.text, each.cost_before, each.cost_after)
            for each in self.advice.statements
            if each.text in left
        ]
        return sorted(found, key=lambda each: (-each.total_ms, -each.cost_before, each.text))

    def _gain(self, text: str, before: float, after: float) -> Gain:
        seen, counted = self.record.get(text, ()), self.server.get(text, ())
        calls = sum(each.calls for each in seen) + sum(each.calls for each in counted)
        total_ms = sum(each.total_ms for each in seen) + sum(each.total_ms for each in counted)
        if not seen:
            return Gain(text, before, after, calls, total_ms)
        first = max(seen, key=lambda each: each.total_ms)
        return Gain(text, before, after, calls, total_ms, first.scope, first.location)


def advise_observed(
    url: str, observations: Observations, counted: Iterable[StatementStats] = ()
) -> ObservedAdvice:
    """Ask a copy of a database's statistics which indexes the observed workload lacks.

    It takes some seconds. What hinders it is told in the answer, not raised. The database is only read.

    Args:
        url: ``postgresql://...``, with or without a driver name.
        observations: what ``pitstop run`` or ``Pitstop(app)`` recorded.
        counted: of ``pg_stat_statements``; they are the workload where nothing was recorded.
    """
    rows = tuple(counted)
    workload, is_record = observed_statements(observations, rows)
    try:
        if not workload:
            reason = read_statements(url).missing or "the server counted none"
            raise SettingsError(f"no statement was observed ({reason})")
        with open_whatif(url) as whatif:
            scans, roots = _scans(whatif, workload), _roots(whatif)
            advice = advise(whatif, workload)
    except (PitstopError, psycopg.Error) as error:
        return ObservedAdvice(problem=" ".join(str(error).split()))
    if is_record:
        record = _by_text(observations.statements.values())
        return ObservedAdvice(advice, scans=scans, record=record, roots=roots)
    return ObservedAdvice(advice, scans=scans, server=_by_text(rows), roots=roots)


def _roots(whatif: WhatIf) -> dict[str, str]:
    tables = read_tables(whatif.connection)
    return {name: _table_of(f"CREATE INDEX ON {table.name} (a)") for name, table in tables.items()}


def _by_text(
    observed: Iterable[Observed],
) -> dict[str, list[Observed]]:
    found: dict[str, list[Observed]] = {}
    for each in observed:
        if each.calls:
            found.setdefault(planned_text(each), []).append(each)
    return found


def _scans(whatif: WhatIf, workload: Iterable[WorkloadStatement]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for statement in workload:
        try:
            plan = whatif.plan(statement.text, verbose=True)
        except WhatIfError:  # the advice tells of it
            continue
        for table in dict.fromkeys(_read_whole(plan)):
            found.setdefault(table, []).append(statement.text)
    return found


def _read_whole(node: dict[str, Any]) -> Iterator[str]:
    if node["Node Type"] == "Seq Scan":
        yield f"{node['Schema']}.{node['Relation Name']}"
    for each in node.get("Plans", ()):
        yield from _read_whole(each)


def _table_of(ddl: str) -> str:
    """``schema.name`` without quotes."""
    change = parse_change(ddl)
    return f"{change.table.schema}.{change.table.name}" if isinstance(change, CreateIndex) else ""
