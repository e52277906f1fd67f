"""A Redis Cluster of a test's own: three masters, each with a replica."""

from pathlib import Path

from pitstop.cache.redis.discovery import slot
from pitstop.errors import RedisUnavailable
from pitstop.servers.process import wait_until
from tests.cache.server import OwnRedis

MASTERS = 3
SLOTS = 16384
SECONDS = 30.0


class OwnCluster:
    """Six servers; the first three begin as masters, each following one is a replica of the one three before.

    Args:
        directory: below which each server has its own.
    """

    def __init__(self, directory: Path) -> None:
        settings = ["cluster-enabled yes", "cluster-node-timeout 1000", "cluster-replica-validity-factor 0"]
        self.nodes = [OwnRedis(directory / str(number), settings=settings) for number in range(2 * MASTERS)]

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes[:MASTERS])

    def start(self) -> "OwnCluster":
        """Start the servers, make them a Cluster, wait until every one says it is whole."""
        for node in self.nodes:
            if node.port + 10000 > 65535:  # the cluster bus listens there
                node.port -= 20000
            node.start()
        self._meet()
        for number, node in enumerate(self.nodes[:MASTERS]):
            slots = range(number * SLOTS // MASTERS, (number + 1) * SLOTS // MASTERS)
            node.command("CLUSTER", "ADDSLOTS", *slots)
        for number, node in enumerate(self.nodes[MASTERS:]):
            node.command("CLUSTER", "REPLICATE", self.id_of(self.nodes[number]))
        self.settle()
        return self

    def settle(self) -> None:
        """Wait until every server that runs finds the Cluster whole and its replicas in step."""
        self._wait(_whole, "is not whole")

    def stop(self) -> None:
        """End every server."""
        for node in self.nodes:
            node.stop(kill=True)

    def id_of(self, node: OwnRedis) -> str:
        """How the Cluster calls a server."""
        answer = node.command("CLUSTER", "MYID")
        assert isinstance(answer, bytes)
        return answer.decode()

    def _meet(self) -> None:
        """Have all know all. A greeting that a busy machine answers too late is forgotten: greet again."""
        for _ in range(6):
            for node in self.nodes[1:]:
                node.command("CLUSTER", "MEET", "127.0.0.1", self.nodes[0].port)
            if wait_until(
                lambda: all(self._counts(each, len(self.nodes)) for each in self.nodes), seconds=10
            ):
                return
        raise RuntimeError("the cluster did not meet within a minute")

    def _counts(self, node: OwnRedis, number: int) -> bool:
        return f"cluster_known_nodes:{number}\r" in _text(node.command("CLUSTER", "INFO"))

    def _wait(self, condition: object, failure: str) -> None:
        assert callable(condition)
        running = [node for node in self.nodes if node.running]
        if not wait_until(lambda: all(condition(node) for node in running), seconds=SECONDS):
            raise RuntimeError(f"the cluster {failure} within {SECONDS:g} s")


def owner_of(key: bytes) -> int:
    """The number of the master that has a key at the beginning."""
    return slot(key) * MASTERS // SLOTS


def _whole(node: OwnRedis) -> bool:
    try:
        info, nodes = _text(node.command("CLUSTER", "INFO")), _text(node.command("CLUSTER", "NODES"))
        replication = _text(node.command("INFO", "replication"))
    except RedisUnavailable:
        return False
    in_step = "role:master" in replication or "master_link_status:up" in replication
    replicas = [line for line in nodes.splitlines() if " slave " in line or " myself,slave " in line]
    return "cluster_state:ok" in info and in_step and bool(replicas)


def _text(reply: object) -> str:
    return reply.decode() if isinstance(reply, bytes) else str(reply)
