"""Connections of the server that are nearly used up."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.advisor.finding import Finding

if TYPE_CHECKING:
    from pitstop.advisor.evidence import Evidence

__all__ = ["examine"]

RULE = "connections-used"
_MUCH, _NEARLY_ALL = 0.8, 0.95


def examine(evidence: "Evidence") -> Iterable[Finding]:
    """One finding when four fifths of the connections of ordinary users are in use.

    Details: ``connections``, ``most``.
    """
    server = evidence.server
    if server is None or server.connections < _MUCH * server.free_to_clients:
        return
    yield Finding(
        rule=RULE,
        severity="critical" if server.connections >= _NEARLY_ALL * server.free_to_clients else "warning",
        subject="max_connections",
        what=f"{server.connections} of {server.free_to_clients} connections are in use",
        how_often="now",
        cost="whoever comes when none is left is refused",
        cost_ms=0.0,
        cure="give each worker its share: pitstop.create_engine(url, workers=...), or use PgBouncer",
        details={"connections": server.connections, "most": server.free_to_clients},
    )
