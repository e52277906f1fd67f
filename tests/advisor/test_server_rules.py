"""The rules for pools and settings: on evidence made by hand, then on a pool that was in trouble."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import NullPool, text
from sqlalchemy import create_engine as create_sync_engine
from sqlalchemy.ext.asyncio import create_async_engine

from pitstop import Pitstop, create_engine
from pitstop.advisor.evidence import Evidence, diagnose, gather
from pitstop.advisor.finding import Finding
from pitstop.advisor.thresholds import Thresholds
from pitstop.errors import PoolExhausted
from pitstop.postgres.address import libpq_url, psycopg_url
from pitstop.postgres.server import ServerState
from pitstop.scope import open_scope
from pitstop.store import Observations, PoolSettings, PoolTotals, ScopeTotals, Store, read_store
from tests.pool.state import GIB, server


def looked_at(settings: dict[str, str] | None = None, **changes: Any) -> ServerState:
    """A server of which somebody has set at least how costly its disk is."""
    return server({"random_page_cost": "1.1", **(settings or {})}, **changes)


def judge(state: ServerState | None = None, *pools: PoolTotals) -> list[Finding]:
    observations = Observations(pools={each.name: each for each in pools})
    return diagnose(Evidence(observations, None, Thresholds(), state))


def test_a_sound_server_is_left_alone() -> None:
    """A server that somebody has set up, with little to do, is no finding; nor is a pool where few waited."""
    assert judge(looked_at(), PoolTotals("shop", waits=50, wait_ms=500.0)) == []


@pytest.mark.parametrize(
    ("settings", "changes", "rule", "severity"),
    [
        ({}, {"connections": 80}, "connections-used", "warning"),
        ({}, {"connections": 95}, "connections-used", "critical"),
        (
            {},
            {"idle_in_transaction": 2, "longest_idle_in_transaction_s": 90.0},
            "idle-in-transaction",
            "warning",
        ),
        (
            {},
            {"idle_in_transaction": 1, "longest_idle_in_transaction_s": 900.0},
            "idle-in-transaction",
            "critical",
        ),
        ({"fsync": "off"}, {}, "unsafe-setting", "critical"),
        ({"autovacuum": "off", "listen_addresses": "localhost"}, {}, "unsafe-setting", "critical"),
        ({}, {"temp_files": 900, "temp_bytes": 50 * GIB}, "temporary-files", "warning"),
        ({}, {"requested": 50, "timed": 50}, "forced-checkpoints", "warning"),
        ({}, {"blocks_hit": 800_000, "blocks_read": 200_000}, "small-buffers", "warning"),
    ],
)
def test_each_rule(settings: dict[str, str], changes: dict[str, Any], rule: str, severity: str) -> None:
    """What each rule sees in what a server counted, and nothing else."""
    (finding,) = judge(looked_at(settings, **changes))
    assert (finding.rule, finding.severity) == (rule, severity)


def test_servers_for_trying_things_out() -> None:
    """What only a crash could harm is left out where only this machine reaches the server."""
    assert judge(looked_at({"fsync": "off", "listen_addresses": "127.0.0.1, localhost"})) == []


def test_checkpoints_that_others_asked_for() -> None:
    """Where the log cannot have forced them (DROP DATABASE asks for one each time) nothing is said."""
    assert judge(looked_at(requested=50, timed=50, wal_bytes=GIB)) == []


def test_a_starved_pool() -> None:
    """Waits in vain are critical; many long ones a warning, many short ones nothing."""
    in_vain = PoolTotals("shop", 5, 2, wait_ms=100.0, max_wait_ms=30.0, held_by="held are 2 by x")
    (finding,) = judge(None, in_vain)
    assert (finding.severity, finding.how_often) == ("critical", "5 waits, 2 of them in vain")
    assert "held are 2 by x" in finding.cure
    (finding,) = judge(None, PoolTotals("shop", waits=100, wait_ms=600.0))
    assert finding.severity == "warning"
    assert judge(None, PoolTotals("shop", waits=1000, wait_ms=600.0)) == []


def test_pools_of_several_processes_add_up(tmp_path: Path) -> None:
    """The record holds the sum of what each process counted."""
    store = Store(tmp_path)
    store.merge(Observations(pools={"shop": PoolTotals("shop", 3, 1, 30.0, 20.0, "held are 2 by x")}))
    store.merge(Observations(pools={"shop": PoolTotals("shop", 2, 0, 10.0, 9.0, "")}))
    store.close()
    assert read_store(tmp_path).pools == {"shop": PoolTotals("shop", 5, 1, 40.0, 20.0, "held are 2 by x")}


async def test_a_pool_that_was_exhausted_is_found(database_url: str, tmp_path: Path) -> None:
    """A pool is exhausted under ``Pitstop``: the finding names it and the line that held its connection."""
    engine = create_engine(database_url, size=1, overflow=0, timeout_s=0.05, name="starved")
    with Pitstop(engine=engine, store=tmp_path) as pitstop:
        async with engine.connect():
            with pytest.raises(PoolExhausted):
                await engine.connect()
        pitstop.flush()
        (finding,) = [each for each in diagnose(gather(tmp_path)) if each.subject == "starved"]
        assert (finding.rule, finding.severity) == ("starved-pool", "critical")
        assert "in test_a_pool_that_was_exhausted_is_found" in finding.cure
        assert finding.how_often == "1 waits, 1 of them in vain"
    await engine.dispose()


async def test_the_server_is_asked(database_url: str, tmp_path: Path) -> None:
    """Where a database is given, its server's state is evidence too."""
    with psycopg.connect(libpq_url(database_url)) as connection:
        most = connection.execute("show max_connections").fetchone()
    evidence = await asyncio.to_thread(gather, tmp_path, database_url=database_url)
    assert evidence.server is not None
    assert most == (evidence.server.settings["max_connections"].value,)
    assert evidence.server.database in database_url


def test_a_server_that_nobody_has_looked_at() -> None:
    """Settings as PostgreSQL comes are told with their values, and the command that says better ones."""
    (found,) = judge(server())
    assert (found.rule, found.severity) == ("untuned-server", "info")
    assert found.details["settings"]["shared_buffers"] == "128MB"
    assert "pitstop tune" in found.cure
    assert judge(server(data_bytes=100 * 1024**2)) == []


def asked(*pools: PoolSettings, kind: str = "request", state: ServerState | None = None) -> list[Finding]:
    scopes = {(kind, "GET /orders"): ScopeTotals(kind, "GET /orders", count=7)}
    observations = Observations(scopes=scopes, pool_settings={each.key: each for each in pools})
    return diagnose(Evidence(observations, None, Thresholds(), state))


SOUND = PoolSettings("shop", "asyncpg", "AsyncAdaptedQueuePool", 5, 10, 1_800, False)


@pytest.mark.parametrize(
    ("changes", "problem", "severity"),
    [
        ({"pool": "NullPool", "size": 0, "overflow": 0}, "no-pool", "warning"),
        ({"size": 60, "overflow": 40}, "too-many", "warning"),
        ({"overflow": -1}, "too-many", "warning"),
        ({"recycle_s": -1}, "no-check", "info"),
    ],
)
def test_how_a_pool_is_set(changes: dict[str, Any], problem: str, severity: str) -> None:
    """Each thing that is wrong is a finding of its own, with a cure; a script may do as it likes."""
    pool = replace(SOUND, **changes)
    (found,) = asked(pool, state=looked_at())
    assert (found.rule, found.severity, found.details["problem"]) == ("pool-settings", severity, problem)
    assert "pitstop.create_engine" in found.cure
    assert asked(pool, kind="process", state=looked_at()) == []


def test_pools_that_are_set_well() -> None:
    """A bounded pool that replaces or tries its connections is no finding, nor is one of ours."""
    tried = replace(SOUND, driver="psycopg", recycle_s=-1, pre_ping=True)
    own = PoolSettings("shop", "psycopg", "FairPool", 1, -1, -1, False)
    assert asked(SOUND, tried, own, state=looked_at()) == []


async def test_settings_are_observed(database_url: str, tmp_path: Path) -> None:
    """Of plain engines of SQLAlchemy, sync and async, what was set stands in the record, once each."""
    never_kept = create_async_engine(database_url, poolclass=NullPool)
    kept = create_sync_engine(
        psycopg_url(database_url), pool_size=3, max_overflow=4, pool_recycle=60, pool_pre_ping=True
    )
    with Pitstop(store=tmp_path):
        for _ in range(2):
            with open_scope("export"):
                async with never_kept.connect() as connection:
                    await connection.execute(text("SELECT 1"))
                with kept.connect() as other:
                    other.execute(text("SELECT 1"))
    await never_kept.dispose()
    kept.dispose()
    name = database_url.rpartition("/")[2]
    found = {each for each in read_store(tmp_path).pool_settings.values() if each.database == name}
    assert found == {
        PoolSettings(name, "asyncpg", "NullPool", 0, 0, -1, False),
        PoolSettings(name, "psycopg", "QueuePool", 3, 4, 60, True),
    }
