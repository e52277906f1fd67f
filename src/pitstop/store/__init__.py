"""The bounded local record of what was observed: ``$PITSTOP_STORE`` or ``./.pitstop``, one SQLite file.

What is kept are folded totals, not requests, so the record does not grow with traffic; many processes
merge into it at once. Values of parameters are never kept, but for the sum of what OFFSET skipped.
"""

from pitstop.store.reader import read_store, reset_store
from pitstop.store.totals import (
    CacheTotals,
    Latency,
    NPlusOneTotals,
    Observations,
    PoolSettings,
    PoolTotals,
    ScopeTotals,
    StatementTotals,
    UnusedColumn,
)
from pitstop.store.writer import Store

__all__ = [
    "CacheTotals",
    "Latency",
    "NPlusOneTotals",
    "Observations",
    "PoolSettings",
    "PoolTotals",
    "ScopeTotals",
    "StatementTotals",
    "Store",
    "UnusedColumn",
    "read_store",
    "reset_store",
]
