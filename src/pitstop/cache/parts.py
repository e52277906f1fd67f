"""What a cached function needs of its cache."""

from collections.abc import Callable
from typing import Any

from pitstop.cache.changes import ChangeLog
from pitstop.cache.invalidation import Invalidation
from pitstop.cache.loads import AsyncLoads, BlockingLoads
from pitstop.cache.memory import Memory

__all__ = ["Lease", "Parts"]


class Lease:
    """Until when memory may be served; what :class:`pitstop.cache.coherence.Coherence` says, or for ever."""

    memory_until = float("inf")


class Parts:
    """What a cached function needs of its cache."""

    def __init__(
        self,
        *,
        enabled: bool,
        changes: ChangeLog,
        memory: Memory,
        lease: Any,
        loads: AsyncLoads,
        blocking: BlockingLoads,
        invalidation: Invalidation,
        start: Callable[[], None],
    ) -> None:
        self.enabled = enabled
        self.changes = changes
        self.memory = memory
        self.lease = lease
        self.loads = loads
        self.flows = loads.flows
        self.blocking = blocking
        self.invalidation = invalidation
        self.start = start
