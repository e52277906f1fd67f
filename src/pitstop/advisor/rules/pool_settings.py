"""Pools of engines that are set so that they are slow, take too much, or give out dead connections."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.advisor.finding import Finding, Severity
from pitstop.store import PoolSettings

if TYPE_CHECKING:
    from pitstop.advisor.evidence import Evidence
    from pitstop.postgres.server import ServerState

__all__ = ["examine"]

RULE = "pool-settings"
_OWN = ("FairPool", "AsyncFairPool")  # bounded by what the server told them
_CURE = "pitstop.create_engine(url, workers=...) sets it for you"


def examine(evidence: "Evidence") -> Iterable[Finding]:
    """One finding for each thing that is wrong with a pool that requests used.

    Details: ``problem`` (``"no-pool"``, ``"too-many"``, ``"no-check"``), ``database``, ``driver``, ``pool``,
    ``size``, ``overflow``.
    """
    scopes = evidence.observations.scopes.values()
    requests = sum(each.count for each in scopes if each.kind == "request")
    for each in evidence.observations.pool_settings.values():
        if not requests or each.pool in _OWN:
            continue
        if each.pool == "NullPool":
            yield _no_pool(each, requests)
            continue
        if _is_too_large(each, evidence.server):
            yield _too_many(each, evidence.server)
        if not each.pre_ping and each.recycle_s < 0:
            yield _no_check(each)


def _is_too_large(each: PoolSettings, server: "ServerState | None") -> bool:
    if each.overflow < 0:
        return True
    return server is not None and each.size + each.overflow > server.free_to_clients


def _no_pool(each: PoolSettings, requests: int) -> Finding:
    return _finding(
        each,
        "no-pool",
        "warning",
        what=f"the engine of {each.database!r} keeps no connections (NullPool)",
        how_often=f"each session of {requests:,} requests opens one",
        cost="some milliseconds each, and a new process of the server",
        cure=f"leave poolclass=NullPool out, unless PgBouncer or its like stands in between: {_CURE}",
    )


def _too_many(each: PoolSettings, server: "ServerState | None") -> Finding:
    most = "any number of" if each.overflow < 0 else f"{each.size + each.overflow:,}"
    left = f"; the server has {server.free_to_clients:,} for all" if server is not None else ""
    return _finding(
        each,
        "too-many",
        "warning",
        what=f"the pool of {each.database!r} may open {most} connections{left}",
        how_often="in each worker process",
        cost="under load the server refuses some, and that is an error",
        cure=f"pool_size + max_overflow, times the workers, below max_connections: {_CURE}",
    )


def _no_check(each: PoolSettings) -> Finding:
    return _finding(
        each,
        "no-check",
        "info",
        what=f"the pool of {each.database!r} gives out connections without a look at them, however old",
        how_often="after each restart of the server, or of what stands in between",
        cost="a request fails for each connection that is dead",
        cure=f"pool_pre_ping=True, and pool_recycle=1800 for what ends idle connections: {_CURE}",
    )


def _finding(
    each: PoolSettings, problem: str, severity: Severity, *, what: str, how_often: str, cost: str, cure: str
) -> Finding:
    return Finding(
        rule=RULE,
        severity=severity,
        subject=f"{each.database} ({each.driver})",
        what=what,
        how_often=how_often,
        cost=cost,
        cost_ms=0.0,
        cure=cure,
        details={
            "problem": problem,
            "database": each.database,
            "driver": each.driver,
            "pool": each.pool,
            "size": each.size,
            "overflow": each.overflow,
        },
    )
