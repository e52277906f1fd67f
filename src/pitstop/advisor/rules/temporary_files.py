"""Sorts and hashes that do not fit into work_mem and go to disk."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.advisor.finding import Finding

if TYPE_CHECKING:
    from pitstop.advisor.evidence import Evidence

__all__ = ["examine"]

RULE = "temporary-files"
_BYTES_A_DAY = 1024**3
_DAY_S = 86_400.0


def examine(evidence: "Evidence") -> Iterable[Finding]:
    """One finding when a gigabyte or more a day was written.

    Details: ``files``, ``bytes``.
    """
    server = evidence.server
    days = max(server.counted_s / _DAY_S, 1.0) if server is not None else 1.0
    if server is None or server.temp_bytes / days < _BYTES_A_DAY:
        return
    yield Finding(
        rule=RULE,
        severity="warning",
        subject="work_mem",
        what=f"sorts and hashes do not fit into work_mem ({server.told('work_mem')}) and go to disk",
        how_often=f"{server.temp_files:,} files since the statistics were reset",
        cost=f"{server.temp_bytes / days / 1024**3:,.1f} GB written and read a day",
        cost_ms=0.0,
        cure="pitstop tune says how much fits into the memory; an index in the order of the sort needs none",
        details={"files": server.temp_files, "bytes": server.temp_bytes},
    )
