"""The whole of the advice for one machine, with or without a server to look at."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

from pitstop.errors import SettingsError
from pitstop.pool.tune import planner, safety, wal
from pitstop.pool.tune.advice import Advice
from pitstop.pool.tune.machine import GIB, MIB, Load, Machine
from pitstop.pool.tune.memory import Memory, easy, memory_of, plan_memory
from pitstop.postgres.server import ServerState, told_bytes

__all__ = ["Tuning", "tune"]

_CONNECTIONS: dict[Load, int] = {"web": 100, "oltp": 100, "mixed": 100, "warehouse": 40}
_RESOURCES = "PostgreSQL documentation, Resource Consumption"
_DAY_S = 86_400.0
_FOLLOWED = ("max_connections", "max_worker_processes")


@dataclass(frozen=True, slots=True)
class Tuning:
    """What to change, and what that means for the memory.

    Attributes:
        machine: it is for.
        advice: settings to change, the most important first.
        memory: the worst case with the advice followed.
        current_memory: the worst case with the server's own settings; None where none was asked.
        notes: what a person should know besides.
    """

    machine: Machine
    advice: tuple[Advice, ...]
    memory: Memory
    current_memory: Memory | None
    notes: tuple[str, ...]

    @property
    def takes_too_much(self) -> bool:
        """Whether the worst case of the server's own settings is above the machine's memory."""
        return self.current_memory is not None and self.current_memory.worst_bytes > self.machine.ram_bytes

    def without(self, names: Collection[str]) -> "Tuning":
        """The advice with some settings left as they are."""
        memory, now = self.memory, self.current_memory
        if now is not None:
            kept = {"shared_buffers", "work_mem", "maintenance_work_mem"} & {*names}
            memory = replace(memory, **{name: getattr(now, name) for name in kept})
            if "max_parallel_workers" in names:
                memory = replace(memory, parallel_workers=now.parallel_workers)
            if "max_connections" in names:
                memory = replace(memory, connections=now.connections)
        advice = tuple(each for each in self.advice if each.name not in names)
        return replace(self, advice=advice, memory=memory)


def tune(machine: Machine, server: ServerState | None = None, *, connections: int | None = None) -> Tuning:
    """Advise on the settings of a server; nothing is changed.

    With a server, what it counted decides too: memory goes to sorts where they spilled to disk, WAL grows
    where it forced checkpoints, and what the server has already is left out.

    Args:
        machine: that the server runs on, for itself.
        server: what :func:`pitstop.postgres.server.read_server` read, or None.
        connections: how many clients there will be; the server's ``max_connections`` unless given.

    Raises:
        SettingsError: fewer than five connections.
    """
    if connections is not None and connections < 5:
        raise SettingsError(f"connections is {connections}: five are the least")
    asked = connections or (int(server.number("max_connections")) if server else _CONNECTIONS[machine.load])
    parallel = max(2, machine.cores)
    current = memory_of(server, machine.load) if server is not None else None
    memory = _plan(machine, server, current, connections=asked, parallel=parallel)
    too_much = memory.worst_bytes > machine.ram_bytes
    if too_much:  # what the server has must give way
        memory = _plan(machine, server, None, connections=asked, parallel=parallel)
    everything = [
        *safety.advise(server),
        *_memory(machine, memory, server, wanted=asked, given=connections is not None, lowers=too_much),
        *planner.advise(machine, memory.parallel_workers),
        *wal.advise(machine, server),
    ]
    advice = tuple(kept for each in everything if (kept := each.against(server)) is not None)
    notes = tuple(_notes(machine, memory, server, current, asked))
    tuning = Tuning(machine, advice, memory, current, notes)
    return tuning.without(_lowered(server, advice)) if server is not None and server.is_standby else tuning


def _lowered(server: ServerState, advice: Iterable[Advice]) -> set[str]:
    """What must not be lower on a standby than on its primary: it would not start again."""
    found = {each.name: each.number or 0.0 for each in advice if each.name in _FOLLOWED}
    return {name for name, number in found.items() if number < server.number(name)}


def _plan(
    machine: Machine, server: ServerState | None, kept: Memory | None, *, connections: int, parallel: int
) -> Memory:
    memory = plan_memory(
        machine,
        connections=connections,
        parallel_workers=parallel,
        data_bytes=server.data_bytes if server is not None else None,
        vacuum_limit=GIB if server is not None and server.version < 170000 else 2 * GIB,
        kept=kept,
    )
    if kept is not None and server is not None and not server.temp_bytes:
        return replace(memory, work_mem=kept.work_mem)  # nothing was ever too large for it
    return memory


def _memory(
    machine: Machine, memory: Memory, server: ServerState | None, *, wanted: int, given: bool, lowers: bool
) -> Iterator[Advice]:
    def advice(name: str, number: int, reason: str) -> Advice:
        return Advice(
            name, told_bytes(number), reason, _RESOURCES, number=float(number), only_raises=not lowers
        )

    number = memory.connections
    reason = "so many fit into the memory at the worst"
    if number == wanted:
        reason = "as many as were asked for" if given else "enough for pools of a measured size"
    yield Advice("max_connections", str(number), reason, _RESOURCES, number=float(number))
    share = memory.shared_buffers / machine.ram_bytes
    why = f"{share:.0%} of {told_bytes(machine.ram_bytes)}; the rest is the system's page cache"
    if server is not None and share < 0.2:
        why = f"the data are {_told(server.data_bytes)}: more buffers would lie idle"
    yield advice("shared_buffers", memory.shared_buffers, f"{why}{_told_hits(server)}")
    cache = easy(machine.ram_bytes * 3 // 4)
    yield advice("effective_cache_size", cache, "what the planner may expect to find cached; takes no memory")
    yield advice(
        "maintenance_work_mem",
        memory.maintenance_work_mem,
        "for vacuum and CREATE INDEX, one for each worker of autovacuum at the worst",
    )
    yield advice("work_mem", memory.work_mem, _why_work_mem(memory, server))


def _why_work_mem(memory: Memory, server: ServerState | None) -> str:
    share = (
        f"{memory.connections} connections with {memory.nodes} sorts or hashes each stay within the memory"
    )
    if server is None or not server.temp_bytes:
        return share
    days = max(server.counted_s / _DAY_S, 1.0)
    return f"{share}; {_told(server.temp_bytes / days)} a day were spilled to disk so far"


def _told_hits(server: ServerState | None) -> str:
    if server is None or not server.blocks_read:
        return ""
    hits = server.blocks_hit / (server.blocks_hit + server.blocks_read)
    return f"; {hits:.1%} of the blocks were found in the buffers so far"


def _notes(
    machine: Machine, memory: Memory, server: ServerState | None, current: Memory | None, asked: int
) -> Iterator[str]:
    if memory.connections < asked:
        yield (
            f"{asked} connections do not fit into the memory: {memory.connections} do; "
            "put PgBouncer in between, or give each worker a smaller pool"
        )
    if server is not None and server.is_standby:
        yield (
            "this is a standby: it needs max_connections and max_worker_processes no lower than its primary "
            "has them, or it does not start; they are lowered on the primary first, and raised here first"
        )
    if current is not None and current.worst_bytes > machine.ram_bytes:
        yield "as it is set, the worst case is larger than the memory: the system may kill the server"
    if server is None:
        yield "no server was asked: with its address the advice looks at its data, settings and counts too"
    elif server.counted_s < _DAY_S:
        yield (
            f"the server has counted for {server.counted_s / 3600:.1f} h only: "
            "ask again when it has seen an ordinary day"
        )


def _told(number: float) -> str:
    for unit, size in (("GB", GIB), ("MB", MIB)):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number / 1024:.0f} kB"
