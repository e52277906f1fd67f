"""Transactions that are open and do nothing."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.advisor.finding import Finding

if TYPE_CHECKING:
    from pitstop.advisor.evidence import Evidence

__all__ = ["examine"]

RULE = "idle-in-transaction"
_LONG_S = 600.0


def examine(evidence: "Evidence") -> Iterable[Finding]:
    """One finding when transactions have done nothing for a minute.

    Details: ``transactions``, ``longest_s``.
    """
    server = evidence.server
    if server is None or not server.idle_in_transaction:
        return
    longest = server.longest_idle_in_transaction_s
    yield Finding(
        rule=RULE,
        severity="critical" if longest >= _LONG_S else "warning",
        subject="idle in transaction",
        what=f"{server.idle_in_transaction} transactions are open and have done nothing for a minute or more",
        how_often="now",
        cost=f"for up to {longest / 60:,.0f} min they hold connections and locks and hinder vacuum",
        cost_ms=0.0,
        cure="end transactions before a slow call; idle_in_transaction_session_timeout ends the rest",
        details={"transactions": server.idle_in_transaction, "longest_s": longest},
    )
