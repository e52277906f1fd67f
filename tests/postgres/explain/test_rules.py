"""Every rule: a real plan that fires it, and one that comes close and must not."""

import re
import threading
from pathlib import Path

import psycopg
import pytest

from pitstop import explain
from pitstop.postgres.explain.rules import RULES
from tests.docs.markdown import DOCS, tables
from tests.postgres.explain.shop import SCENARIOS, Scenario

PLANS = Path(__file__).parents[1] / "plans"
STORED = ("cold-cache", "io-time", "jit")  # a cold cache, a slow disk or LLVM cannot be had at will
ALONE = ("lock-wait",)
INDEXED = ("filtered-scan", "wrapped-column", "sort-before-limit", "or-filter", "repeated-scan")
COMBINED = "an index for each side, which PostgreSQL combines: "
OPTIONS = "analyze, buffers, settings, format json"


def plan_of(url: str, statement: str, scenario: Scenario, settings: dict[str, str]) -> explain.Plan:
    with psycopg.connect(url) as connection:
        connection.execute("set statement_timeout = '60s'")
        for name, value in settings.items():
            connection.execute(f"set {name} = '{value}'")
        for each in scenario.before:
            connection.execute(each)
        plan = explain.parse(connection.execute(f"explain ({OPTIONS}) {statement}").fetchall())
        connection.rollback()
    return plan


def names(plan: explain.Plan) -> set[str]:
    return {finding.rule for finding in plan.findings(all_=True)}


def test_every_rule_has_its_plans() -> None:
    """No rule is without a plan that fires it and one that does not."""
    assert set(RULES) == {*SCENARIOS, *STORED, *ALONE}


@pytest.mark.parametrize("rule", sorted(SCENARIOS))
def test_fires(shop: str, rule: str) -> None:
    """The statement's real plan fires the rule, with a sentence and a cure."""
    scenario = SCENARIOS[rule]
    with psycopg.connect(shop) as connection:
        if rule == "index-searches" and connection.info.server_version < 180_000:
            pytest.skip("PostgreSQL tells index searches since 18")
    plan = plan_of(shop, scenario.fires, scenario, scenario.settings)
    found = [finding for finding in plan.findings(all_=True) if finding.rule == rule]
    assert found, str(plan)
    assert all(each.why and each.cure and each.subject for each in found)
    assert all(0.0 <= each.saving_ms <= max(plan.whole_ms, plan.planning_ms or 0.0) for each in found)


@pytest.mark.parametrize("rule", sorted(SCENARIOS))
def test_is_silent(shop: str, rule: str) -> None:
    """A statement that comes close does not fire the rule."""
    scenario = SCENARIOS[rule]
    settings = {} if rule == "settings" else scenario.settings
    plan = plan_of(shop, scenario.silent, scenario, settings)
    assert rule not in names(plan), str(plan)


@pytest.mark.parametrize("rule", STORED)
def test_stored(rule: str) -> None:
    """A plan that was captured once fires the rule; one of the same statement under better luck does not."""
    assert rule in names(explain.parse((PLANS / f"{rule}.json").read_text("utf-8")))
    assert rule not in names(explain.parse((PLANS / f"{rule}-not.json").read_text("utf-8")))


def test_lock_wait(shop: str) -> None:
    """A write that waits for another transaction's row is told as waiting, the same without one is not."""
    statement = "update users set country = 'FR' where id = 7"
    found: list[explain.Plan] = []
    with psycopg.connect(shop) as holder, psycopg.connect(shop, autocommit=True) as watcher:
        holder.execute("select * from users where id = 7 for update")
        scenario = Scenario("", "")
        thread = threading.Thread(target=lambda: found.append(plan_of(shop, statement, scenario, {})))
        thread.start()
        wait_for_waiting(watcher)
        holder.execute("select pg_sleep(0.3)")
        holder.rollback()
        thread.join(timeout=30)
    assert "lock-wait" in names(found[0]), str(found[0])
    assert "lock-wait" not in names(plan_of(shop, statement, scenario, {}))


def wait_for_waiting(connection: "psycopg.Connection[tuple[object, ...]]") -> None:
    question = (
        "select count(*) from pg_stat_activity "
        "where datname = current_database() and wait_event_type = 'Lock'"
    )
    for _ in range(600):
        if connection.execute(question).fetchone() == (1,):
            return
        connection.execute("select pg_sleep(0.05)")
    pytest.fail("no statement began to wait for the lock in 30 s")


@pytest.mark.parametrize("rule", INDEXED)
def test_cures_work(shop: str, rule: str) -> None:
    """The indexes of a finding can be made as they stand, and then the plan has no such finding."""
    scenario = SCENARIOS[rule]
    plan = plan_of(shop, scenario.fires, scenario, scenario.settings)
    cure = next(each.cure for each in plan.findings(all_=True) if each.rule == rule)
    with psycopg.connect(shop, autocommit=True) as connection:
        for statement in cure.removeprefix(COMBINED).split("; "):
            connection.execute(statement)
        connection.execute("analyze")
    assert rule not in names(plan_of(shop, scenario.fires, scenario, scenario.settings)), cure


def test_a_sort_of_joined_rows_has_a_cure_in_a_whole_sentence(shop: str) -> None:
    """Where no index can be named, the cure says how one would have to be."""
    statement = "select * from items i join orders o on o.id = i.order_id order by qty, created_at limit 5"
    plan = plan_of(shop, statement, Scenario("", ""), {})
    (cure,) = [each.cure for each in plan.findings(all_=True) if each.rule == "sort-before-limit"]
    assert cure.startswith("an index of one table, first columns of its filter")
    assert cure.endswith("lets LIMIT stop early")


def test_the_trifling_is_hidden(shop: str) -> None:
    """What could save less than a hundredth of the time is told only when asked for."""
    plan = plan_of(shop, SCENARIOS["filtered-scan"].fires, SCENARIOS["filtered-scan"], {})
    told = plan.findings()
    assert [each.saving_ms for each in told] == sorted((each.saving_ms for each in told), reverse=True)
    assert all(each.saving_ms == 0.0 or each.saving_ms >= 0.01 * plan.whole_ms for each in told)


def test_every_rule_is_documented() -> None:
    """The page of the room has each rule in its table, and no other."""
    page = (DOCS / "rooms" / "postgres.md").read_text("utf-8")
    told = [name for row in tables(page)[0][1:] for name in re.findall(r"`([a-z-]+)`", row[0])]
    assert sorted(told) == sorted(RULES)
