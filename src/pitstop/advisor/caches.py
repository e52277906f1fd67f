"""How often the caches of this process had an answer, as it grows."""

import sys
from collections.abc import Mapping
from typing import Any

from pitstop.store import CacheTotals

__all__ = ["CacheCounts"]


class CacheCounts:
    """What was counted since the last time; what was counted before it was made is somebody else's."""

    def __init__(self) -> None:
        self._seen = _counted()

    def grown(self) -> list[CacheTotals]:
        """What each namespace has counted since the last time; none where there was no call."""
        counted = _counted()
        grown = []
        for name, now in counted.items():
            before = self._seen.get(name, (0, 0, 0))
            # a cache that has gone has taken its counts along
            hits, misses, refused = (max(0, new - old) for new, old in zip(now, before, strict=True))
            if hits or misses:
                grown.append(CacheTotals(name, hits, misses, refused))
        self._seen = counted
        return grown


def _counted() -> Mapping[str, tuple[int, int, int]]:
    # an application that does not use the cache need not import it
    room: Any = sys.modules.get("pitstop.cache.stats")
    return {} if room is None else room.counted()
