"""Pools that let requests wait for a connection, or refused them."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.advisor.finding import Finding

if TYPE_CHECKING:
    from pitstop.advisor.evidence import Evidence
    from pitstop.store import PoolTotals

__all__ = ["examine"]

RULE = "starved-pool"
_LONG_MS = 5.0
_MANY = 100


def examine(evidence: "Evidence") -> Iterable[Finding]:
    """One finding for each pool that refused somebody, or let many wait for long.

    Details: ``pool``, ``waits``, ``exhausted``, ``wait_ms``, ``max_wait_ms``.
    """
    for pool in evidence.observations.pools.values():
        if pool.exhausted or (pool.waits >= _MANY and pool.wait_ms / pool.waits >= _LONG_MS):
            yield _finding(pool)


def _finding(pool: "PoolTotals") -> Finding:
    refused = f", {pool.exhausted:,} of them in vain" if pool.exhausted else ""
    held = f" ({pool.held_by})" if pool.held_by else ""
    return Finding(
        rule=RULE,
        severity="critical" if pool.exhausted else "warning",
        subject=pool.name,
        what=f"pool {pool.name!r} lets work wait for a connection",
        how_often=f"{pool.waits:,} waits{refused}",
        cost=f"{pool.wait_ms / pool.waits:,.1f} ms a wait, {pool.max_wait_ms:,.0f} ms at most",
        cost_ms=pool.wait_ms,
        cure=f"hold connections shorter, no outgoing call while one is held{held}; then size the pool: "
        "pitstop.pool.size_pool",
        details={
            "pool": pool.name,
            "waits": pool.waits,
            "exhausted": pool.exhausted,
            "wait_ms": pool.wait_ms,
            "max_wait_ms": pool.max_wait_ms,
            "fails": bool(pool.exhausted),
        },
    )
