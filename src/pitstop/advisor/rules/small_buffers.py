"""Shared buffers that are small beside the data and miss often."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.advisor.finding import Finding

if TYPE_CHECKING:
    from pitstop.advisor.evidence import Evidence

__all__ = ["examine"]

RULE = "small-buffers"
_HITS = 0.95
_MANY_BLOCKS = 100_000
_LONG_S = 3_600.0  # a server that has just started reads everything once
_SMALL = 0.25


def examine(evidence: "Evidence") -> Iterable[Finding]:
    """One finding when they hold less than a quarter of the data and find less than 95% of the blocks.

    Details: ``hits``, ``shared_buffers``, ``data``; bytes.
    """
    server = evidence.server
    if server is None or server.blocks_read < _MANY_BLOCKS or server.counted_s < _LONG_S:
        return
    hits = server.blocks_hit / (server.blocks_hit + server.blocks_read)
    buffers = server.number("shared_buffers")
    if hits >= _HITS or buffers >= _SMALL * server.data_bytes:
        return
    yield Finding(
        rule=RULE,
        severity="warning",
        subject="shared_buffers",
        what=f"{1 - hits:.0%} of the blocks are not in the shared buffers ({server.told('shared_buffers')})",
        how_often=f"{server.blocks_read:,} blocks since the statistics were reset",
        cost=f"a copy from the system's cache, or a read from disk; the data are "
        f"{server.data_bytes / 1024**3:,.1f} GB",
        cost_ms=0.0,
        cure="look for sequential scans first (they read what an index spares); then pitstop tune",
        details={"hits": hits, "shared_buffers": buffers, "data": server.data_bytes},
    )
