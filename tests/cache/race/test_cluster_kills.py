"""A Redis Cluster that loses a node under a writer that is killed between COMMIT and its announcement."""

import signal
from pathlib import Path
from typing import Any

import pytest

from pitstop.cache.clock import clock
from pitstop.cache.commands import Commands
from pitstop.cache.request import user_tag
from pitstop.servers.process import wait_until
from tests.cache.cluster import MASTERS, OwnCluster, owner_of
from tests.cache.race.kills import mortal
from tests.cache.race.party import Party
from tests.cache.race.test_return import is_fenced, read_until_kept

NAMES = Commands("pitstop")
ROWS = 40
PAUSE = 8.0  # between fence and COMMIT, while the node is lost


def token_of(row: int) -> bytes:
    return NAMES.token(user_tag(f"counter:{row}"))


def row_on(*, coordinator: bool) -> int:
    """A row whose tag lies with the epoch and the holders, or on another node."""
    return next(
        row for row in range(ROWS) if (owner_of(token_of(row)) == owner_of(NAMES.epoch)) is coordinator
    )


def lose(cluster: OwnCluster, number: int, how: str) -> None:
    """Kill a master, and have it start again empty, or its replica take over without the last second."""
    victim, heir = cluster.nodes[number], cluster.nodes[number + MASTERS]
    if how == "empty":
        victim.restart()
    else:
        victim.stop(kill=True)
        heir.thaw()
    cluster.settle()


CASES = [
    pytest.param("empty", False, id="empty"),
    pytest.param("failover", False, id="failover", marks=pytest.mark.slow),
    pytest.param("empty", True, id="coordinator-empty", marks=pytest.mark.slow),
    pytest.param("failover", True, id="coordinator-failover", marks=pytest.mark.slow),
]


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("how", "coordinator"), CASES)
def test_a_node_is_lost_under_a_writer_that_is_killed(
    tmp_path: Path, database_url: str, own_cluster: OwnCluster, how: str, coordinator: bool
) -> None:
    """The node with the fence forgets it, the writer is killed after COMMIT: nobody reads what was before."""
    for node in own_cluster.nodes:
        node.command("CONFIG", "SET", "cluster-require-full-coverage", "no")
    row = row_on(coordinator=coordinator)
    number = owner_of(token_of(row))
    urls = [own_cluster.url]
    with Party(
        tmp_path / "party", database_url=database_url, redis_urls=urls, workers=2, rows=ROWS, soft_timeout=1.0
    ) as party:
        dying = mortal(party, 0)
        try:
            for reader in party.workers:
                read_until_kept(reader, row)
            if how == "failover":  # the replica keeps what was before the fence
                own_cluster.nodes[number + MASTERS].freeze()
                own_cluster.nodes[number].command("CLIENT", "KILL", "TYPE", "replica")
            dying.send({"row": row, "version": 1, "at": "committed", "pause": PAUSE})
            victim = own_cluster.nodes[number]
            assert wait_until(lambda: is_fenced(victim, f"counter:{row}"), seconds=20.0), "no fence"
            lose(own_cluster, number, how)
            party.send("reads", row=row, number=100, pause=0.02)
            answers: list[dict[str, Any]] = party.answers()
            assert not sum(each["stale"] for each in answers)
            assert dying.answer()["signal"] == signal.SIGKILL
            party.board.acknowledge(row, 1, now=clock())
            party.send("reads", row=row, number=100, pause=0.02)
            answers = party.answers()
            assert not sum(each["stale"] for each in answers)
            for reader in party.workers:
                answer = reader.do("read", row=row)
                assert answer["got"] == 1
        finally:
            dying.end()
