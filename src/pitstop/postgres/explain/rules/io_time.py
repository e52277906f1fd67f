"""A node waits for the storage most of its time."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.postgres.explain.finding import Finding
from pitstop.postgres.explain.judging import judge
from pitstop.postgres.explain.node import Node

if TYPE_CHECKING:
    from pitstop.postgres.explain.plan import Plan

__all__ = ["examine"]

RULE = "io-time"
_SHARE = 0.3
_MANY_MS = 1.0
_KINDS = ("Shared", "Local", "Temp")
_TEMPORARY = "raise work_mem for this statement, so that it needs no temporary files"
_TABLE = "read fewer pages: an index, a narrower or covering one; or more memory for the cache"


def examine(plan: "Plan") -> Iterable[Finding]:
    """One finding for each node with a third of its own time, 1 ms or more, in reading and writing.

    ``track_io_timing`` tells them. Details: ``io_ms``, ``temporary_ms``.
    """
    for node in plan.nodes():
        temporary = _io_ms(node, "Temp")
        io = sum(_io_ms(node, kind) for kind in _KINDS)
        if io >= max(_MANY_MS, _SHARE * node.self_ms):
            io = min(io, node.self_ms)
            yield judge(
                plan,
                RULE,
                node,
                saving_ms=io,
                why=f"{io:,.1f} ms of its own {node.self_ms:,.1f} ms are spent in reading and writing",
                cure=_TEMPORARY if temporary > io / 2 else _TABLE,
                io_ms=io,
                temporary_ms=temporary,
            )


def _io_ms(node: Node, kind: str) -> float:
    both = (node.own_number(f"{kind} I/O {what} Time") for what in ("Read", "Write"))
    return sum(both) / node.processes
