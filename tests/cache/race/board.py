"""The board: which version of each row was acknowledged, in memory that all processes of a race share."""

import mmap
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["REMEMBERED", "Board"]

REMEMBERED = 512  # versions whose moment is kept
_WORD = 8


class Board:
    """Acknowledged versions, and when each was acknowledged; one writer for each row.

    A word is stored in one piece, so that a reader sees the version before or the one after.

    Args:
        file: shared by all processes.
        rows: how many.
    """

    def __init__(self, file: Path, rows: int) -> None:
        self.rows = rows
        size = _WORD + rows * _WORD * (1 + REMEMBERED)
        if not file.exists():
            file.write_bytes(bytes(size))
        with file.open("r+b") as opened:
            self._map = mmap.mmap(opened.fileno(), size)
        whole = memoryview(self._map)
        self._focus = whole[:_WORD].cast("q")
        self._versions = whole[_WORD : (rows + 1) * _WORD].cast("q")
        self._moments = whole[(rows + 1) * _WORD :].cast("q")
        whole.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._focus.release()
        self._versions.release()
        self._moments.release()
        self._map.close()

    @property
    def focus(self) -> int:
        """The row about which readers with a window read."""
        return self._focus[0]

    @focus.setter
    def focus(self, row: int) -> None:
        self._focus[0] = row

    def acknowledged(self, row: int) -> int:
        """The newest version that a reader must see."""
        return self._versions[row]

    def acknowledge(self, row: int, version: int, *, now: float) -> None:
        """Readers that begin from now on must see this version."""
        self._moments[row * REMEMBERED + version % REMEMBERED] = int(now * 1e6)
        self._versions[row] = version

    def behind(self, row: int, version: int, *, began: float) -> float:
        """Seconds by which a version was out of date when a read of it began."""
        return began - self._moments[row * REMEMBERED + (version + 1) % REMEMBERED] / 1e6
