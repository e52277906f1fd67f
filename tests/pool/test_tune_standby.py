"""A hot standby: nothing is changed on it, and it is not advised what would keep it from starting."""

from collections.abc import Iterator

import psycopg
import pytest

from pitstop.advisor.apply import apply_changes, plan_changes
from pitstop.errors import ApplyFailed, ServerError
from pitstop.pool.tune import Machine, apply_tuning, tune
from pitstop.postgres.server import read_server
from pitstop.schema import read_script
from tests.cache.replica import Replicated
from tests.pool.state import GIB, server


@pytest.fixture(scope="module")
def replicated() -> Iterator[Replicated]:
    """A primary with a table, and its standby."""
    servers = Replicated()
    servers.start()
    with psycopg.connect(servers.primary_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE orders (id int PRIMARY KEY, store int)")
    servers.follow()
    yield servers
    servers.stop()


async def test_indexes_are_made_on_the_primary(replicated: Replicated) -> None:
    """Planning and applying on a standby are refused with the way out; on the primary both work."""
    changes = read_script("CREATE INDEX ON orders (store)")
    with pytest.raises(ApplyFailed, match="is a standby, where nothing can be changed: give the address of"):
        await plan_changes(replicated.replica_url, changes)
    with pytest.raises(ApplyFailed, match="is a standby"):
        await apply_changes(replicated.replica_url, changes, report=lambda news: None)
    await apply_changes(replicated.primary_url, changes, report=lambda news: None)
    assert (await plan_changes(replicated.primary_url, changes)).pending == ()


def test_settings_are_not_written(replicated: Replicated) -> None:
    """ALTER SYSTEM would work on a standby and break it at its next start: it is refused."""
    state = read_server(replicated.replica_url)
    assert state.is_standby
    assert not read_server(replicated.primary_url).is_standby
    tuning = tune(Machine(4 * GIB, 2), state)
    assert tuning.advice
    with pytest.raises(ServerError, match="is a standby, whose settings go by those of its primary"):
        apply_tuning(replicated.replica_url, tuning)
    assert read_server(replicated.replica_url).settings == state.settings


def test_what_it_must_share_is_not_lowered() -> None:
    """A standby keeps as many connections and workers as its primary has; the primary may have fewer."""
    settings = {"max_connections": "900", "max_worker_processes": "32"}
    primary = tune(Machine(4 * GIB, 2), server(settings))
    standby = tune(Machine(4 * GIB, 2), server(settings, is_standby=True))
    lowered = {"max_connections", "max_worker_processes"} & {each.name for each in primary.advice}
    assert "max_connections" in lowered
    assert {each.name for each in primary.advice} - {each.name for each in standby.advice} == lowered
    assert standby.memory.connections == 900
    assert any("this is a standby" in each for each in standby.notes)
    assert not any("this is a standby" in each for each in primary.notes)
