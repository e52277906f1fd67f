"""Index advice: a workload in, the indexes that it should have out, with what each gains and costs."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any

import psycopg

from pitstop.advisor.indexes.candidate import Candidate, candidates_of, merged
from pitstop.advisor.indexes.harm import Harm, does_harm
from pitstop.advisor.indexes.pricing import PlannedStatement, Pricing, write_cost
from pitstop.advisor.indexes.scan import read_scans
from pitstop.advisor.indexes.search import geometric_mean, search
from pitstop.advisor.indexes.table import Table, question, read_tables
from pitstop.advisor.indexes.workload import WorkloadStatement
from pitstop.advisor.whatif import Hypothetical, WhatIf
from pitstop.errors import WhatIfError
from pitstop.postgres.indexes import Index, covers, query_indexes

__all__ = ["Advice", "AdvisedIndex", "AdvisedStatement", "Advisor", "advise"]

_TRIGRAMS = "CREATE EXTENSION IF NOT EXISTS pg_trgm"


@dataclass(frozen=True, slots=True)
class AdvisedStatement:
    """A statement before and after.

    Attributes:
        text: SQL; weight: how often it runs.
        cost_before, cost_after: planner units of one execution.
        indexes: the DDL of those that it would use.
        present: names of those of the database that it would use with them.
        problem: why it could not be planned; empty when it could.
    """

    text: str
    weight: float
    cost_before: float
    cost_after: float
    indexes: tuple[str, ...] = ()
    problem: str = ""
    present: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AdvisedIndex:
    """An index worth having.

    Attributes:
        ddl: makes it without blocking writers; prerequisites: to run before, e.g. an extension.
        reason: one sentence.
        size_bytes: foretold.
        write_cost: of each row written, planner units (1 is about 10 microseconds).
        statements: numbers, in :attr:`Advice.statements`, of those that use it.
        is_partitioned: of a partitioned table, which takes no index concurrently in one statement.
    """

    ddl: str
    reason: str
    size_bytes: int
    write_cost: float
    statements: tuple[int, ...]
    prerequisites: tuple[str, ...] = ()
    is_partitioned: bool = False


@dataclass(frozen=True, slots=True)
class Advice:
    """What to make, and what that does to each statement.

    Attributes:
        indexes: most useful first.
        statements: all of the workload, in its order.
        mean_before, mean_after: weighted geometric means of the costs.
        candidates: how many indexes were looked at.
    """

    indexes: tuple[AdvisedIndex, ...]
    statements: tuple[AdvisedStatement, ...]
    mean_before: float
    mean_after: float
    candidates: int


def advise(whatif: WhatIf, workload: Sequence[WorkloadStatement]) -> Advice:
    """Find the indexes that a workload should have.

    Args:
        whatif: a copy of the database.
        workload: its statements; what cannot be planned is told and left out.

    Raises:
        WhatIfError: none of them can be planned.
    """
    return Advisor(whatif).advise(workload)


class Advisor:
    """What gives advice, and the same advice with fewer indexes.

    Args:
        whatif: a copy of the database.
    """

    def __init__(self, whatif: WhatIf) -> None:
        self._whatif = whatif
        whatif.show([])  # what an earlier advice made up is not there
        self._prerequisites = _offer_trigrams(whatif.connection)
        self._tables = read_tables(whatif.connection)
        self._existing = [each for each in query_indexes(whatif.connection) if each.is_valid]
        self._shares: dict[tuple[str, str], float] = {}
        self._found: _Found | None = None
        self._harms: set[Harm] = set()
        self._partitioned: set[str] = set()

    def advise(self, workload: Sequence[WorkloadStatement], *, without: Collection[Harm] = ()) -> Advice:
        """As the function :func:`advise`.

        Args:
            workload: its statements.
            without: no index is advised that would do the same harm; what was given once holds on.
        """
        read = [self._read(each) for each in workload]
        wanted = list(dict.fromkeys(chain.from_iterable(found for _, found in read if found)))
        self._harms |= {*without}
        wanted = [each for each in wanted if not does_harm(each, self._harms)]
        made = self._make(wanted)
        numbers = {candidate: number for number, (candidate, _) in enumerate(made)}
        planned = [
            _with_candidates(each, tuple(numbers[one] for one in found if one in numbers))
            for each, found in read
            if isinstance(each, PlannedStatement)
        ]
        if not planned:
            problems = [str(each) for each, _ in read if isinstance(each, WhatIfError)]
            raise WhatIfError(f"no statement of the workload can be planned: {problems[0]}")
        pricing = Pricing(self._whatif, planned, [each for _, each in made], self._table_bytes())
        others = _Others(self._whatif, pricing, [each for each, _ in made], self._harms)
        chosen = search(pricing, merge=others.merged, thin=others.thin)
        self._found = _Found(pricing, chosen, workload, [each for each, _ in read])
        return self._report(self._found, chosen)

    def only(self, ddls: Collection[str]) -> Advice:
        """The last advice with these indexes alone, whichever advice of this workload they come from.

        Args:
            ddls: of the indexes that stay.
        """
        if self._found is None:
            raise WhatIfError("no advice was asked for yet: call advise() before only()")
        found, known = self._found, [_concurrently(each.ddl) for each in self._found.pricing.candidates]
        strange = [each for each in ddls if each not in known]
        made = self._whatif.make(each.replace(" CONCURRENTLY", "", 1) for each in strange)
        found.pricing.candidates += [each for each in made if isinstance(each, Hypothetical)]
        known = [_concurrently(each.ddl) for each in found.pricing.candidates]
        order = [known[each] for each in found.chosen]
        kept = [*(each for each in order if each in ddls), *(each for each in ddls if each not in order)]
        return self._report(found, [known.index(each) for each in kept])

    def _read(self, statement: WorkloadStatement) -> "tuple[PlannedStatement | WhatIfError, list[Candidate]]":
        try:
            plan = self._whatif.logical_plan(statement.text)
        except WhatIfError as error:
            return error, []
        columns = {name: list(table.columns) for name, table in self._tables.items()}
        scans = read_scans(plan, columns)
        found: list[Candidate] = []
        for scan in scans:
            table = self._tables.get(f"{scan.schema}.{scan.table}")
            if table is not None:
                found += candidates_of(scan, table, share=partial(self._share, table))
        return _planned(statement, plan, self._tables), list(dict.fromkeys(found))

    def _share(self, table: Table, predicate: str) -> float:
        key = (table.name, predicate)
        if key not in self._shares:
            plan = self._whatif.plan(f"select from {table.name} where {predicate}")
            self._shares[key] = plan["Plan Rows"] / max(table.rows, 1.0)
        return self._shares[key]

    def _make(self, wanted: list[Candidate]) -> list[tuple[Candidate, Hypothetical]]:
        """Those of the candidates that can be made and that no index of the database makes superfluous."""
        made = self._whatif.make(each.ddl for each in wanted)
        indexes = {each.oid: each for each in query_indexes(self._whatif.connection)}
        kept: list[tuple[Candidate, Hypothetical]] = []
        seen: list[Index] = []
        for candidate, one in zip(wanted, made, strict=True):
            if isinstance(one, WhatIfError):
                continue
            index = indexes[one.oids[0]]
            if any(covers(each, index) for each in self._existing) or any(
                _same(each, index) for each in seen
            ):
                continue
            seen.append(index)
            kept.append((candidate, one))
        return kept

    def _table_bytes(self) -> dict[str, int]:
        """Of each table; a partitioned one is as large as its partitions."""
        sizes = self._whatif.table_bytes()
        for row in self._whatif.connection.execute(question("partitions").encode()).fetchall():
            self._partitioned.add(row["root"])
            sizes[row["root"]] = sizes.get(row["root"], 0) + sizes.get(row["name"], 0)
        return sizes

    def _report(self, found: "_Found", chosen: list[int]) -> Advice:
        pricing = found.pricing
        numbers = iter(range(len(pricing.statements)))
        statements: list[AdvisedStatement] = []
        users: dict[int, list[int]] = {each: [] for each in chosen}
        for statement, each in zip(found.workload, found.read, strict=True):
            if isinstance(each, WhatIfError):
                statements.append(AdvisedStatement(statement.text, statement.weight, 0.0, 0.0, (), str(each)))
                continue
            told, used = _told(pricing, next(numbers), chosen)
            for one in used:
                users[one].append(len(statements))
            statements.append(told)
        planned = [each for each in statements if not each.problem]
        return Advice(
            indexes=tuple(self._index(pricing.candidates[one], users[one], statements) for one in chosen),
            statements=tuple(statements),
            mean_before=_mean([each.cost_before for each in planned], pricing.weights),
            mean_after=_mean([each.cost_after for each in planned], pricing.weights),
            candidates=len(pricing.candidates),
        )

    def _index(
        self, index: Hypothetical, users: list[int], statements: Sequence[AdvisedStatement]
    ) -> AdvisedIndex:
        return AdvisedIndex(
            ddl=_concurrently(index.ddl),
            reason=_reason(index, [statements[each] for each in users]),
            size_bytes=index.size_bytes,
            write_cost=round(write_cost(index), 2),
            statements=tuple(users),
            prerequisites=self._prerequisites if "gin_trgm_ops" in index.ddl else (),
            is_partitioned=index.table in self._partitioned,
        )


@dataclass(frozen=True, slots=True)
class _Found:
    """What the search found: the prices, the chosen candidates, the workload and how it was read."""

    pricing: Pricing
    chosen: list[int]
    workload: Sequence[WorkloadStatement]
    read: "list[PlannedStatement | WhatIfError]"


class _Others:
    """Indexes in the place of chosen ones, made up when they are first thought of."""

    def __init__(
        self, whatif: WhatIf, pricing: Pricing, candidates: list[Candidate], harms: Collection[Harm]
    ) -> None:
        self._harms = harms
        self._whatif = whatif
        self._pricing = pricing
        self._candidates = candidates  # by their numbers in the pricing
        self._numbers = {each: number for number, each in enumerate(candidates)}

    def thin(self, number: int) -> int | None:
        """The same without its further columns, and its number."""
        candidate = self._candidates[number]
        if not candidate.include:
            return None
        slim = replace(candidate, include=())
        if slim not in self._numbers:
            self._make([slim])
        return self._numbers.get(slim)

    def merged(self, chosen: Sequence[int]) -> list[tuple[tuple[int, int], int]]:
        """The pairs among the chosen that one index could replace, and its number."""
        pairs = [(one, other) for place, one in enumerate(chosen) for other in chosen[place + 1 :]]
        joined = [(pair, merged(*(self._candidates[each] for each in pair))) for pair in pairs]
        wanted = [(pair, each) for pair, each in joined if each is not None]
        self._make([each for _, each in wanted if each not in self._numbers])
        return [(pair, self._numbers[each]) for pair, each in wanted if each in self._numbers]

    def _make(self, fresh: list[Candidate]) -> None:
        fresh = [each for each in dict.fromkeys(fresh) if not does_harm(each, self._harms)]
        for candidate, one in zip(
            fresh, self._whatif.make(each.ddl for each in fresh) if fresh else [], strict=True
        ):
            if isinstance(one, Hypothetical):
                self._numbers[candidate] = len(self._candidates)
                self._candidates.append(candidate)
                self._pricing.candidates.append(one)


def _offer_trigrams(connection: "psycopg.Connection[dict[str, Any]]") -> tuple[str, ...]:
    """Make the operator class for LIKE known to the copy; what the original has to do for it."""
    row = connection.execute("select from pg_extension where extname = 'pg_trgm'").fetchone()
    if row is None:
        connection.execute("create extension pg_trgm")
        return (_TRIGRAMS,)
    return ()


def _planned(
    statement: WorkloadStatement, plan: dict[str, Any], tables: dict[str, Table]
) -> PlannedStatement:
    names = sorted({tables[each].name for each in _relations(plan) if each in tables})
    if plan["Node Type"] != "ModifyTable":
        return PlannedStatement(statement, frozenset(names))
    target = tables.get(f"{plan['Schema']}.{plan['Relation Name']}")
    child = plan.get("Plans", [{}])[0]
    rows = max(statement.rows, child.get("Plan Rows", 1.0) if plan["Operation"] == "Insert" else 1.0)
    return PlannedStatement(
        statement, frozenset(names), target.name if target else "", plan["Operation"], rows
    )


def _relations(node: dict[str, Any]) -> "chain[str]":
    own = [f"{node['Schema']}.{node['Relation Name']}"] if "Relation Name" in node else []
    return chain(own, *(_relations(each) for each in node.get("Plans", ())))


def _with_candidates(planned: PlannedStatement, numbers: tuple[int, ...]) -> PlannedStatement:
    return PlannedStatement(
        planned.statement, planned.tables, planned.writes, planned.operation, planned.written_rows, numbers
    )


def _told(pricing: Pricing, number: int, chosen: list[int]) -> tuple[AdvisedStatement, tuple[int, ...]]:
    statement = pricing.statements[number].statement
    cost, used, present = pricing.settled(number, chosen)
    ddls = tuple(_concurrently(pricing.candidates[one].ddl) for one in used)
    before = round(pricing.cost(number, ()), 2)
    told = AdvisedStatement(statement.text, statement.weight, before, round(cost, 2), ddls, "", present)
    return told, used


def _mean(costs: list[float], weights: list[float]) -> float:
    return round(geometric_mean(costs, weights), 2)


def _same(one: Index, other: Index) -> bool:
    return covers(one, other) and covers(other, one)


def _concurrently(ddl: str) -> str:
    return ddl.replace("CREATE INDEX ON", "CREATE INDEX CONCURRENTLY ON", 1)


def _reason(index: Hypothetical, users: list[AdvisedStatement]) -> str:
    """What it does for the statement that gains most."""
    if not users:
        return "used together with the others"
    best = max(users, key=lambda each: each.cost_before / max(each.cost_after, 0.01))
    what = re.sub(r"\s+", " ", best.text)
    short = what if len(what) <= 60 else f"{what[:57]}..."
    others = f", and {len(users) - 1} more" if len(users) > 1 else ""
    return f"{short} costs {best.cost_after:,.0f} instead of {best.cost_before:,.0f}{others}"
