"""What peer loading remembers of one session: its writes, and how earlier peer loads were used."""

import sys
from collections.abc import Hashable
from typing import Any

from sqlalchemy.orm import InstanceState

from pitstop.sql.peers.batch import Batch
from pitstop.sql.peers.writes import Writes

__all__ = ["Ledger"]

_MAX_ENTRIES = 2_000
_MAX_WASTES = 2
_LOOKS = 500  # instances looked at for one lazy load, in the long run: some 30 us

State = InstanceState[Any]


class Ledger:
    """The memory of one session; bounded, and it holds no instance."""

    __slots__ = ("_batches", "_families", "_pause", "_seen", "_wastes", "writes")

    def __init__(self) -> None:
        self.writes = Writes()
        self._batches: dict[Hashable, Batch] = {}
        self._seen: dict[Hashable, int] = {}
        self._wastes: dict[Hashable, int] = {}
        self._families: dict[int | None, frozenset[int | None]] = {}
        self._pause = 0

    def sight(self, group: Hashable) -> int:
        """How often rows of a group were touched, this time included."""
        if len(self._seen) >= _MAX_ENTRIES:
            self._seen.clear()
        times = self._seen[group] = self._seen.get(group, 0) + 1
        return times

    def may_load(self, group: Hashable) -> bool:
        """Whether to load for a group together: not where that was mostly for nothing, twice in a row.

        A loop that writes what it reads, or commits each time around, would else load all again and again.
        """
        batch = self._batches.get(group)
        if batch is None or not batch.is_wasted():
            self._wastes.pop(group, None)
            return True
        return self._wastes.get(group, 0) + 1 < _MAX_WASTES

    def loaded(self, group: Hashable, batch: Batch) -> None:
        """Remember a peer load."""
        if len(self._batches) >= _MAX_ENTRIES:
            self._batches.clear()
            self._wastes.clear()
        before = self._batches.get(group)
        if before is not None and before.is_wasted():
            self._wastes[group] = self._wastes.get(group, 0) + 1
        self._batches[group] = batch

    def family(self, run: int | None) -> frozenset[int | None]:
        """The results that one peer load brought in several statements, of which this is one."""
        return self._families.get(run) or frozenset((run,))

    def brought(self, runs: frozenset[int | None]) -> None:
        """Remember results that belong together."""
        if len(self._families) >= _MAX_ENTRIES:
            self._families.clear()
        self._families.update(dict.fromkeys(runs, runs))

    def may_look(self) -> bool:
        """Whether to look for peers: after a search for nothing in a large session, not for a while."""
        if self._pause > 0:
            self._pause -= 1
            return False
        return True

    def give_up(self) -> None:
        """Load in the ordinary way from now on."""
        self._pause = sys.maxsize

    def looked(self, *, at: int, found: int) -> None:
        """Remember a search through ``at`` instances."""
        self._pause = 0 if found else at // _LOOKS
