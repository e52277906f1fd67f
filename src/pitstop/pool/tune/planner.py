"""Settings of the planner and of parallel work."""

from collections.abc import Iterator

from pitstop.pool.tune.advice import Advice
from pitstop.pool.tune.machine import Disk, Load, Machine

__all__ = ["advise"]

_PLANNING = "PostgreSQL documentation, Query Planning"
_RESOURCES = "PostgreSQL documentation, Resource Consumption"
_PAGE_COST: dict[Disk, float] = {"ssd": 1.1, "san": 1.1, "hdd": 4.0}
_CONCURRENCY: dict[Disk, int] = {"ssd": 200, "san": 200, "hdd": 16}
_GATHER: dict[Load, int] = {"web": 2, "oltp": 2, "mixed": 4, "warehouse": 16}


def advise(machine: Machine, parallel: int) -> Iterator[Advice]:
    """Advice from the disk, the cores and the load."""
    fast = machine.disk != "hdd"
    yield _number(
        "random_page_cost",
        _PAGE_COST[machine.disk],
        "a random read costs as much as the next one: the default of 4 is for turning disks and hides indexes"
        if fast
        else "seeking costs much more than reading on",
        _PLANNING,
    )
    reads = "reads that the disk can work on at once"
    yield _number("effective_io_concurrency", _CONCURRENCY[machine.disk], reads, _RESOURCES)
    if machine.load in ("web", "oltp"):
        why = "compiling costs more than it saves on short statements, and a misestimate compiles them all"
        yield Advice("jit", "off", why, _PLANNING)
    if machine.load == "warehouse":
        yield _number(
            "default_statistics_target",
            500,
            "large joins need better estimates; ANALYZE afterwards",
            _PLANNING,
        )
    workers = max(8, 2 * machine.cores)
    reason = "for parallel statements and what runs beside them"
    yield _number("max_worker_processes", workers, reason, _RESOURCES, only_raises=True)
    cores = f"there are {machine.cores} cores" if machine.cores > 1 else "there is one core"
    yield _number("max_parallel_workers", parallel, cores, _RESOURCES)
    gather = max(1, min(_GATHER[machine.load], machine.cores // 2))
    leaves = f"{cores}: one statement leaves half of them to others"
    yield _number("max_parallel_workers_per_gather", gather, leaves, _RESOURCES)
    builders = max(1, min(4, machine.cores // 2))
    yield _number("max_parallel_maintenance_workers", builders, "to build an index", _RESOURCES)


def _number(name: str, value: float, reason: str, source: str, *, only_raises: bool = False) -> Advice:
    return Advice(name, f"{value:g}", reason, source, number=float(value), only_raises=only_raises)
