"""Runs every scenario on SQLite and PostgreSQL, in plain, ``run_sync`` and asynchronous sessions."""

import asyncio
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from pitstop import count_queries
from tests.sql.scenarios import (
    negatives_async,
    negatives_paging,
    negatives_reading,
    negatives_walking,
    negatives_writing,
    positives_async,
    positives_columns,
    positives_mixed,
    positives_nested,
    positives_places,
    positives_relations,
    positives_statements,
)
from tests.sql.scenarios.judge import carried_out, complaints, describe
from tests.sql.scenarios.oracle import counted
from tests.sql.scenarios.record import Scenario

POSITIVES = [
    *positives_relations.SCENARIOS,
    *positives_nested.SCENARIOS,
    *positives_mixed.SCENARIOS,
    *positives_columns.SCENARIOS,
    *positives_places.SCENARIOS,
    *positives_statements.SCENARIOS,
    *positives_async.SCENARIOS,
]
NEGATIVES = [
    *negatives_reading.SCENARIOS,
    *negatives_paging.SCENARIOS,
    *negatives_walking.SCENARIOS,
    *negatives_writing.SCENARIOS,
    *negatives_async.SCENARIOS,
]
DRIVERS = {"sync": ["sqlite", "psycopg"], "async": ["aiosqlite", "asyncpg"]}
DRIVERS["both"] = [*DRIVERS["sync"], "asyncpg"]


class Bench:
    """Runs a scenario on one engine, so that its cache of compiled statements lives on between runs."""

    def __init__(self, url: URL, driver: str) -> None:
        backend = "sqlite" if "sqlite" in driver else "postgresql"
        named = url.set(drivername=backend if driver == "sqlite" else f"{backend}+{driver}")
        self.asynchronous = driver in DRIVERS["async"]
        self.outer: Any = create_async_engine(named) if self.asynchronous else create_engine(named)
        self.engine: Engine = self.outer.sync_engine if self.asynchronous else self.outer

    def run(self, scenario: Scenario, *, observed: bool = True, options: Sequence[Any] = ()) -> "Outcome":
        """Run it once, in a session of its own, and forget the connections afterwards."""
        if self.asynchronous:
            return asyncio.run(self._run_async(scenario, observed, options))
        self.engine.connect().close()  # a dialect's first connection asks questions of its own
        with counted(self.engine) as texts, Session(self.engine) as session:
            if not observed:
                return Outcome(scenario.run(session, options), texts)
            with count_queries(self.outer) as queries:
                result = scenario.run(session, options)
        return Outcome(result, texts, queries)

    async def _run_async(self, scenario: Scenario, observed: bool, options: Sequence[Any]) -> "Outcome":
        work: Callable[[AsyncSession], Any] = lambda session: session.run_sync(scenario.run, options)  # noqa: E731
        if inspect.iscoroutinefunction(scenario.run):
            work = lambda session: scenario.run(session, options)  # noqa: E731
        try:
            async with self.outer.connect():  # a dialect's first connection asks questions of its own
                pass
            with counted(self.engine) as texts:
                async with AsyncSession(self.outer) as session:
                    if not observed:
                        return Outcome(await work(session), texts)
                    with count_queries(self.outer) as queries:
                        result = await work(session)
            return Outcome(result, texts, queries)
        finally:
            await self.outer.dispose()

    def close(self) -> None:
        """Close what a synchronous run has left open."""
        if not self.asynchronous:
            self.engine.dispose()


class Outcome:
    """What a run returned, what the driver saw, and what the counter says."""

    def __init__(self, result: Any, texts: list[str], queries: Any = None) -> None:
        self.result = result
        self.texts = texts
        self.queries = queries
        self.findings: list[Any] = list(queries.n_plus_one) if queries else []


@pytest.fixture
def bench(request: pytest.FixtureRequest, driver: str) -> Any:
    """An engine of the wanted driver over the filled database."""
    url = request.getfixturevalue("sqlite_url" if "sqlite" in driver else "postgresql_url")
    bench = Bench(url, driver)
    yield bench
    bench.close()


def _cases(scenarios: list[Scenario]) -> list[Any]:
    return [
        pytest.param(scenario, driver, id=f"{scenario.name}-{driver}")
        for scenario in scenarios
        for driver in DRIVERS[scenario.mode]
    ]


def _judge(scenario: Scenario, outcome: Outcome) -> None:
    wrong = complaints(scenario, outcome.findings)
    assert not wrong, "\n  ".join([f"{scenario.name}:", *wrong, f"found:{describe(outcome.findings)}"])


@pytest.mark.parametrize(("scenario", "driver"), _cases(POSITIVES))
def test_found(scenario: Scenario, bench: Bench) -> None:
    """The N+1 is found with its parent, relation, count and lines, on an engine that never ran it before."""
    outcome = bench.run(scenario)
    assert outcome.queries.count == len(outcome.texts) == len(outcome.queries.statements)
    _judge(scenario, outcome)


@pytest.mark.parametrize(("scenario", "driver"), _cases(POSITIVES))
def test_found_when_it_ran_unobserved_before(scenario: Scenario, bench: Bench) -> None:
    """The finding is as complete when the statements were compiled and cached before anyone looked."""
    bench.run(scenario, observed=False)
    _judge(scenario, bench.run(scenario))


@pytest.mark.parametrize(("scenario", "driver"), _cases([each for each in POSITIVES if each.cured]))
def test_cured(scenario: Scenario, bench: Bench) -> None:
    """The cures, carried out as they are written, bring the count down and change no result."""
    before = bench.run(scenario)
    after = bench.run(scenario, options=carried_out(before.findings))
    cures = [finding.cure for finding in before.findings]
    assert after.result == before.result, cures
    assert 1 <= len(after.texts) <= (scenario.cured or 0), cures
    assert after.findings == [], cures


@pytest.mark.parametrize(("scenario", "driver"), _cases(NEGATIVES))
def test_silent(scenario: Scenario, bench: Bench) -> None:
    """Legitimate work raises no finding, the first time or again, and is counted rightly."""
    for _ in range(2):
        outcome = bench.run(scenario)
        assert outcome.queries.count == len(outcome.texts)
        assert outcome.findings == [], f"{scenario.name}:{describe(outcome.findings)}"


@pytest.mark.parametrize(
    "scenario", [each for each in POSITIVES if each.reference], ids=lambda scenario: scenario.name
)
def test_expectation_is_a_fact(scenario: Scenario, sqlite_url: URL) -> None:
    """The options that a careful engineer would write reach the promised count with the same result."""
    assert scenario.reference is not None
    bench = Bench(sqlite_url, "aiosqlite" if scenario.mode == "async" else "sqlite")
    plain = bench.run(scenario, observed=False)
    cured = bench.run(scenario, observed=False, options=scenario.reference())
    bench.close()
    assert cured.result == plain.result
    assert len(cured.texts) <= (scenario.cured or 0) < len(plain.texts)


def test_names_are_unique() -> None:
    """Every scenario has a name of its own."""
    names = [scenario.name for scenario in (*POSITIVES, *NEGATIVES)]
    assert len(names) == len(set(names))
