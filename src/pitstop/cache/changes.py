"""The change log: which tags were invalidated, in the order this process learned of it."""

import threading
from collections.abc import Iterable

__all__ = ["ChangeLog"]

_KEEP = 10_000


class ChangeLog:
    """What was invalidated, numbered; bounded, and read without a lock.

    A number stands for a moment: what was true at ``changes`` is still true while its tags are
    :meth:`unchanged` since. What is older than the log reaches back counts as changed. A tag that a writer
    has fenced is open: changing at a moment that is not known, hence never unchanged.

    Args:
        keep: how many tags are remembered.

    Attributes:
        changes: the number of the newest change.
    """

    __slots__ = ("__weakref__", "_fences", "_floor", "_keep", "_lock", "_open", "_recent", "changes")

    def __init__(self, *, keep: int = _KEEP) -> None:
        self.changes = 0
        self._keep = keep
        self._floor = 0
        self._recent: dict[str, int] = {}
        self._open: dict[str, int] = {}
        self._fences: dict[bytes, tuple[frozenset[str], float]] = {}
        self._lock = threading.Lock()

    def record(self, tags: Iterable[str]) -> None:
        """Write down that these tags were invalidated; when it returns, no reader takes what was before."""
        with self._lock:
            self._record(tags)

    def open(self, fence: bytes, tags: Iterable[str], *, until: float) -> None:
        """Write down that these tags are about to change, until :meth:`close`.

        Args:
            fence: id of the fence; a second time only ``until`` counts.
            tags: what it fences.
            until: when the fence has run out, whatever becomes of its writer.
        """
        with self._lock:
            opened = self._fences.get(fence)
            held = frozenset(tags)
            self._fences[fence] = held, until
            if opened is None:
                for tag in held:
                    self._open[tag] = self._open.get(tag, 0) + 1
            self._record(held)

    def close(self, fence: bytes, tags: Iterable[str]) -> None:
        """Write down that a fence is off its tags: they have changed, or may have."""
        with self._lock:
            self._close(fence, tags)

    def expire(self, now: float) -> None:
        """Close the fences that have run out."""
        with self._lock:
            for fence, (tags, until) in list(self._fences.items()):
                if until < now:
                    self._close(fence, tags)

    def forget(self) -> None:
        """Count everything as changed: some changes may have been missed."""
        with self._lock:
            self._floor = self.changes + 1
            self._recent.clear()
            self.changes += 1

    def unchanged(self, tags: Iterable[str], since: int) -> bool:
        """Whether none of these tags was invalidated after the moment ``since``, or is about to be."""
        recent, opened = self._recent, self._open
        for tag in tags:
            if recent.get(tag, 0) > since or tag in opened:
                return False
        return since >= self._floor

    def _close(self, fence: bytes, tags: Iterable[str]) -> None:
        self._record(tags)
        held, _ = self._fences.pop(fence, (frozenset(), 0.0))
        for tag in held:
            left = self._open[tag] - 1
            if left:
                self._open[tag] = left
            else:
                del self._open[tag]

    def _record(self, tags: Iterable[str]) -> None:
        number = self.changes + 1
        for tag in tags:
            self._recent.pop(tag, None)
            self._recent[tag] = number
        while len(self._recent) > self._keep:
            oldest = next(iter(self._recent))
            # the floor first: a reader that does not find the tag any more looks at the floor next
            self._floor = self._recent[oldest]
            del self._recent[oldest]
        # the number last: a reader that sees it must find the tags above
        self.changes = number
