"""Settings of the write-ahead log and of checkpoints."""

from collections.abc import Iterator

from pitstop.pool.tune.advice import Advice
from pitstop.pool.tune.machine import GIB, Load, Machine
from pitstop.postgres.server import ServerState, told_bytes

__all__ = ["FORCED_SHARE", "advise", "forced_share"]

FORCED_SHARE = 0.1  # of all checkpoints
_FEW = 5
_MOST = 64 * GIB
_SOURCE = "PostgreSQL documentation, WAL Configuration"
_WAL: dict[Load, int] = {"web": 4 * GIB, "oltp": 8 * GIB, "mixed": 8 * GIB, "warehouse": 16 * GIB}


def advise(machine: Machine, server: ServerState | None) -> Iterator[Advice]:
    """Advice from the load, and from how often the log forced a checkpoint."""
    size, why = _WAL[machine.load], "room for the log between two checkpoints by the clock; takes disk space"
    if server is not None and forced_share(server) > FORCED_SHARE:
        size = min(max(size, 2 * int(server.number("max_wal_size"))), _MOST)
        why = f"{server.forced:,} of {server.requested + server.timed:,} checkpoints were forced by the log"
    yield Advice("max_wal_size", told_bytes(size), why, _SOURCE, number=float(size), only_raises=True)
    least = f"{told_bytes(GIB)} of the log's files are used again instead of made anew"
    yield Advice("min_wal_size", told_bytes(GIB), least, _SOURCE, number=float(GIB), only_raises=True)
    rarer = "fewer checkpoints write fewer whole pages; recovery after a crash takes longer"
    yield Advice("checkpoint_timeout", "15min", rarer, _SOURCE, number=900.0, only_raises=True)
    spread = "the writes of a checkpoint are spread over its time"
    yield Advice("checkpoint_completion_target", "0.9", spread, _SOURCE, number=0.9)


def forced_share(server: ServerState) -> float:
    """The share of checkpoints that the amount of WAL forced; 0 while there were few."""
    return server.forced / (server.requested + server.timed) if server.forced >= _FEW else 0.0
