"""Results: what the reads and writes of one process came to."""

from collections import Counter as Tally
from collections.abc import Iterable
from typing import Any

from tests.cache.race.board import Board

__all__ = ["Results"]

_SHOWN = 5


class Results:
    """What happened in one order.

    Args:
        board: says which versions were acknowledged.
        index: of the process.
        own: the rows that it writes itself.
    """

    def __init__(self, board: Board, index: int, own: Iterable[int]) -> None:
        self.board = board
        self._index = index
        self._own = frozenset(own)
        self.reads = self.commits = self.own = 0
        self.stale: list[list[Any]] = []
        self.behind: list[float] = []
        self.read_seconds: list[float] = []
        self.write_seconds: list[float] = []
        self.errors: Tally[str] = Tally()

    def told(self, **more: Any) -> dict[str, Any]:
        return {
            "reads": self.reads,
            "commits": self.commits,
            "stale": len(self.stale),
            "examples": self.stale[:_SHOWN],
            "behind": self.behind,
            "own": self.own,
            "read_seconds": self.read_seconds,
            "write_seconds": self.write_seconds,
            "errors": dict(self.errors),
            **more,
        }

    def judge(self, kind: str, row: int, expected: int, got: int, began: float) -> None:
        """Count a read, which must not be older than what had been acknowledged when it began."""
        self.reads += 1
        if got < expected:
            behind = self.board.behind(row, got, began=began)
            self.stale.append([self._index, kind, row, expected, got, round(behind, 4)])
            self.behind.append(behind)
            self.own += row in self._own
