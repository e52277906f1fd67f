"""The memory that a server takes at the worst, and how its settings share what there is."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from pitstop.pool.tune.machine import GIB, MIB, Load, Machine
from pitstop.postgres.server import ServerState

__all__ = ["LEAST_WORK_MEM", "Memory", "easy", "memory_of", "plan_memory"]

LEAST_WORK_MEM = 4 * MIB
_BACKEND = 5 * MIB  # of a server process: caches of the catalog, plans, the stack
_WAL_BUFFERS = 16 * MIB
_KEPT = 0.9  # the rest is the system's and its page cache's
_WORKERS = 3  # autovacuum_max_workers as PostgreSQL has it
_HASH = 2.0  # hash_mem_multiplier as PostgreSQL has it

# Sorts and hashes that one statement has at a time, at the worst.
_NODES: dict[Load, int] = {"web": 2, "oltp": 2, "mixed": 3, "warehouse": 5}
_MOST_WORK_MEM: dict[Load, int] = {
    "web": 64 * MIB,
    "oltp": 32 * MIB,
    "mixed": 256 * MIB,
    "warehouse": 2 * GIB,
}
_MAINTENANCE: dict[Load, int] = {"web": 16, "oltp": 16, "mixed": 16, "warehouse": 8}


@dataclass(frozen=True, slots=True)
class Memory:
    """What is taken if all that may happen happens at once.

    ``shared_buffers + wal_buffers + connections * 5 MB + (connections + parallel workers) * nodes *
    work_mem * hash_mem_multiplier + autovacuum workers * maintenance_work_mem``

    Attributes:
        shared_buffers, work_mem, maintenance_work_mem: bytes.
        connections: ``max_connections``.
        nodes: sorts and hashes of one statement.
        parallel_workers: ``max_parallel_workers``.
        vacuum_workers: ``autovacuum_max_workers``.
        hash_mem_multiplier: as the setting.
    """

    shared_buffers: int
    work_mem: int
    maintenance_work_mem: int
    connections: int
    nodes: int
    parallel_workers: int
    vacuum_workers: int = _WORKERS
    hash_mem_multiplier: float = _HASH

    @property
    def fixed_bytes(self) -> int:
        """What is taken whatever ``work_mem`` is."""
        of_vacuum = self.vacuum_workers * self.maintenance_work_mem
        return self.shared_buffers + _WAL_BUFFERS + self.connections * _BACKEND + of_vacuum

    @property
    def statement_bytes(self) -> int:
        """What sorts and hashes take."""
        return int(self._allotments * self.work_mem)

    @property
    def worst_bytes(self) -> int:
        """All of it."""
        return self.fixed_bytes + self.statement_bytes

    @property
    def _allotments(self) -> float:
        return (self.connections + self.parallel_workers) * self.nodes * self.hash_mem_multiplier

    def work_mem_within(self, ram_bytes: int) -> int:
        """The ``work_mem`` that keeps the worst within a machine's memory; may be below zero."""
        return int((ram_bytes * _KEPT - self.fixed_bytes) / self._allotments)


def plan_memory(
    machine: Machine,
    *,
    connections: int,
    parallel_workers: int,
    data_bytes: int | None,
    vacuum_limit: int,
    kept: Memory | None = None,
) -> Memory:
    """Share a machine's memory out.

    Args:
        machine: it.
        connections: how many there may be; lowered where even the least ``work_mem`` would not fit.
        parallel_workers: ``max_parallel_workers``.
        data_bytes: size of the data, if known: buffers for more than twice of it lie idle.
        vacuum_limit: what one worker of autovacuum can use, bytes.
        kept: what a server has and is not to lower.
    """
    ram = machine.ram_bytes
    shared = ram // 4 if data_bytes is None else min(ram // 4, max(2 * data_bytes, 128 * MIB))
    maintenance = _within(ram // _MAINTENANCE[machine.load], 16 * MIB, vacuum_limit)
    memory = Memory(
        *(easy(shared), LEAST_WORK_MEM, easy(maintenance), connections),
        *(_NODES[machine.load], parallel_workers),
    )
    if kept is None:
        memory = _fitting(memory, ram)
    else:
        memory = replace(
            memory,
            shared_buffers=max(memory.shared_buffers, kept.shared_buffers),
            maintenance_work_mem=max(memory.maintenance_work_mem, kept.maintenance_work_mem),
        )
    work = _within(memory.work_mem_within(ram), LEAST_WORK_MEM, _MOST_WORK_MEM[machine.load])
    return replace(memory, work_mem=max(easy(work), kept.work_mem if kept else 0))


def _fitting(memory: Memory, ram: int) -> Memory:
    """With so little for all else that each connection has the least ``work_mem``; connections go last."""
    while memory.work_mem_within(ram) < LEAST_WORK_MEM and memory.maintenance_work_mem > min(
        64 * MIB, ram // 32
    ):
        memory = replace(memory, maintenance_work_mem=easy(memory.maintenance_work_mem // 2))
    while memory.work_mem_within(ram) < LEAST_WORK_MEM and memory.parallel_workers > 2:
        memory = replace(memory, parallel_workers=memory.parallel_workers - 1)
    while memory.work_mem_within(ram) < LEAST_WORK_MEM and memory.connections > 5:
        memory = replace(memory, connections=memory.connections - 1)
    return memory


def memory_of(server: ServerState, load: Load) -> Memory:
    """The memory that a server's own settings allow."""

    def number(name: str, otherwise: Callable[[], float]) -> float:
        there = server.settings.get(name)
        return there.number if there is not None and float(there.value) >= 0 else otherwise()

    maintenance = server.number("maintenance_work_mem")
    return Memory(
        shared_buffers=int(server.number("shared_buffers")),
        work_mem=int(server.number("work_mem")),
        maintenance_work_mem=int(number("autovacuum_work_mem", lambda: maintenance)),
        connections=int(server.number("max_connections")),
        nodes=_NODES[load],
        parallel_workers=int(server.number("max_parallel_workers")),
        vacuum_workers=int(server.number("autovacuum_max_workers")),
        hash_mem_multiplier=number("hash_mem_multiplier", lambda: 1.0),
    )


def _within(value: int, low: int, high: int) -> int:
    return max(low, min(value, high))


def easy(number: int) -> int:
    """Down to a whole number of megabytes that is easy to read."""
    step = MIB if number < 64 * MIB else 16 * MIB if number < GIB else 256 * MIB
    return max(number // step * step, MIB)
