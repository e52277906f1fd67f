"""How long the pools of this process let wait, as it grows, and how they are set."""

import sys
from collections.abc import Mapping
from typing import Any

from pitstop.store import PoolSettings, PoolTotals

__all__ = ["PoolChoices", "PoolCounts"]

_NOTHING = (0, 0, 0.0, 0.0, "")


class PoolCounts:
    """What was counted since the last time; what was counted before it was made is somebody else's."""

    def __init__(self) -> None:
        self._seen = _counted()

    def grown(self) -> list[PoolTotals]:
        """What each pool has counted since the last time; none where nobody waited."""
        counted, grown = _counted(), []
        for name, (waits, exhausted, wait_ms, longest, held_by) in counted.items():
            before = self._seen.get(name, _NOTHING)
            if waits > before[0]:
                more = PoolTotals(name, waits - before[0], max(0, exhausted - before[1]))
                more.wait_ms, more.max_wait_ms = max(0.0, wait_ms - before[2]), longest
                more.held_by = held_by if more.exhausted else ""
                grown.append(more)
        self._seen = counted
        return grown


class PoolChoices:
    """How the pools are set that were first observed since it was made; the others are somebody else's."""

    def __init__(self) -> None:
        self._others = frozenset(_observed())

    def made(self) -> list[PoolSettings]:
        """Those of the engines that were observed."""
        return [each for each in _observed() if each not in self._others]


def _observed() -> list[PoolSettings]:
    room: Any = sys.modules.get("pitstop.sql.pools")
    return [] if room is None else list(room.observed_pools())


def _counted() -> Mapping[str, tuple[int, int, float, float, str]]:
    # an application that does not use the pools need not import them
    room: Any = sys.modules.get("pitstop.pool.fair")
    return {} if room is None else room.counted()
