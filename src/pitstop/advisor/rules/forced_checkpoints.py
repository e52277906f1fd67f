"""Checkpoints that the amount of WAL forces, before their time."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.advisor.finding import Finding
from pitstop.pool.tune.wal import FORCED_SHARE, forced_share

if TYPE_CHECKING:
    from pitstop.advisor.evidence import Evidence

__all__ = ["examine"]

RULE = "forced-checkpoints"


def examine(evidence: "Evidence") -> Iterable[Finding]:
    """One finding when more than a tenth of the checkpoints are forced.

    Details: ``forced``, ``timed``.
    """
    server = evidence.server
    if server is None or forced_share(server) <= FORCED_SHARE:
        return
    yield Finding(
        rule=RULE,
        severity="warning",
        subject="max_wal_size",
        what=f"the log fills max_wal_size ({server.told('max_wal_size')}) and forces checkpoints",
        how_often=f"{server.forced:,} of {server.requested + server.timed:,} checkpoints",
        cost="after each, every page that changes is written whole to the log",
        cost_ms=0.0,
        cure="raise max_wal_size: pitstop tune",
        details={"forced": server.forced, "timed": server.timed},
    )
