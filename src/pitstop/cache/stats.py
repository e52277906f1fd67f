"""What the cache counts, by namespace."""

import weakref
from dataclasses import dataclass, field

__all__ = ["CacheStats", "Counts", "NamespaceStats", "Stats", "counted"]


@dataclass(frozen=True, slots=True)
class NamespaceStats:
    """Counts of one namespace in this process, since it began.

    Attributes:
        memory_hits, redis_hits: calls answered from there.
        misses: calls for which the function was called, or waited for.
        loads: calls of the function.
        stale_hits: calls answered with a value past its time (``stale_for``).
        unfilled: loads whose value was not kept, by reason.
        shadow_reads, shadow_stale: sampled hits compared with the function, and those that differed.
        stale_age: the longest that a value had been in memory that differed, seconds.
    """

    memory_hits: int
    redis_hits: int
    misses: int
    loads: int
    stale_hits: int
    unfilled: dict[str, int]
    shadow_reads: int
    shadow_stale: int
    stale_age: float

    @property
    def hit_rate(self) -> float:
        """Share of calls answered without the function, 0..1; 0 before the first call."""
        hits = self.memory_hits + self.redis_hits + self.stale_hits
        return hits / (hits + self.misses) if hits + self.misses else 0.0

    @property
    def stale_ratio(self) -> float:
        """Share of sampled hits that differed from what the function gave, 0..1."""
        return self.shadow_stale / self.shadow_reads if self.shadow_reads else 0.0


@dataclass(frozen=True, slots=True)
class CacheStats:
    """What a cache of this process did.

    Attributes:
        namespaces: counts by namespace.
        items, bytes: held in memory now; bytes are an estimate.
        evictions: values dropped from memory for want of room.
        up: whether Redis is used; None without Redis.
        stored_bytes, encoded_bytes: values sent to Redis, and what they were before compression.
    """

    namespaces: dict[str, NamespaceStats]
    items: int
    bytes: int
    evictions: int
    up: bool | None
    stored_bytes: int
    encoded_bytes: int

    @property
    def hit_rate(self) -> float:
        """Share of all calls answered without the function, 0..1."""
        every = self.namespaces.values()
        hits = sum(each.memory_hits + each.redis_hits + each.stale_hits for each in every)
        calls = hits + sum(each.misses for each in every)
        return hits / calls if calls else 0.0

    @property
    def compression_ratio(self) -> float:
        """Stored bytes for each encoded byte; 1 where nothing was compressed."""
        return self.stored_bytes / self.encoded_bytes if self.encoded_bytes else 1.0


@dataclass(slots=True)
class Counts:
    """Counts of one namespace while they grow. Threads may lose additions of each other: it is statistics."""

    memory_hits: int = 0
    redis_hits: int = 0
    misses: int = 0
    loads: int = 0
    stale_hits: int = 0
    unfilled: dict[str, int] = field(default_factory=dict)
    shadow_reads: int = 0
    shadow_stale: int = 0
    stale_age: float = 0.0

    def compared(self, *, same: bool, age: float) -> None:
        """A sampled hit was compared with what the function gives now."""
        self.shadow_reads += 1
        if not same:
            self.shadow_stale += 1
            self.stale_age = max(self.stale_age, age)

    def refuse(self, why: str) -> None:
        """A value was not kept."""
        self.unfilled[why] = self.unfilled.get(why, 0) + 1

    def popularity(self) -> tuple[int, int]:
        """Hits for each load, and loads."""
        return (self.memory_hits + self.redis_hits) // max(1, self.loads), self.loads

    def snapshot(self) -> NamespaceStats:
        """The counts as they are now."""
        return NamespaceStats(
            memory_hits=self.memory_hits,
            redis_hits=self.redis_hits,
            misses=self.misses,
            loads=self.loads,
            stale_hits=self.stale_hits,
            unfilled=dict(self.unfilled),
            shadow_reads=self.shadow_reads,
            shadow_stale=self.shadow_stale,
            stale_age=self.stale_age,
        )


_every: "weakref.WeakSet[Stats]" = weakref.WeakSet()


def counted() -> dict[str, tuple[int, int, int]]:
    """Hits, misses and loads that were not kept, by namespace, of all caches of this process."""
    found: dict[str, tuple[int, int, int]] = {}
    for stats in list(_every):
        for name, each in stats.snapshot().items():
            hits, misses, refused = found.get(name, (0, 0, 0))
            hits += each.memory_hits + each.redis_hits + each.stale_hits
            found[name] = hits, misses + each.misses, refused + sum(each.unfilled.values())
    return found


class Stats:
    """The counts of a cache."""

    def __init__(self) -> None:
        _every.add(self)
        self._counts: dict[str, Counts] = {}
        self.stored_bytes = 0
        self.encoded_bytes = 0

    def of(self, namespace: str) -> Counts:
        """The counts of a namespace."""
        counts = self._counts.get(namespace)
        return counts if counts is not None else self._counts.setdefault(namespace, Counts())

    def snapshot(self) -> dict[str, NamespaceStats]:
        """All counts as they are now."""
        return {name: counts.snapshot() for name, counts in sorted(self._counts.items())}
