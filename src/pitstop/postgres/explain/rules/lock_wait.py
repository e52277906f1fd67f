"""A write or a locking read takes long for few rows: most likely it waited for another transaction."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.postgres.explain.finding import Finding
from pitstop.postgres.explain.judging import count, judge

if TYPE_CHECKING:
    from pitstop.postgres.explain.plan import Plan

__all__ = ["examine"]

RULE = "lock-wait"
_MS_A_ROW = 20.0
_SHARE = 0.5


def examine(plan: "Plan") -> Iterable[Finding]:
    """One finding for each write or locking read with 20 ms a row and half of the time.

    Details: ``rows``, ``waited_ms``.
    """
    for node in plan.nodes():
        if node.node_type not in ("ModifyTable", "LockRows") or not node.inputs:
            continue
        rows = max(node.inputs[0].total_rows, 1.0)
        if node.self_ms < _MS_A_ROW * rows or node.self_ms < _SHARE * plan.whole_ms:
            continue
        yield judge(
            plan,
            RULE,
            node,
            saving_ms=node.self_ms,
            why=f"{node.self_ms:,.0f} ms for {count(rows, 'row')}: it waited, most likely for a "
            "lock of another transaction",
            cure="commit earlier where the other transaction holds the row, change rows in one "
            "order everywhere, "
            "set lock_timeout; log_lock_waits tells who waits for whom",
            rows=rows,
            waited_ms=node.self_ms,
        )
