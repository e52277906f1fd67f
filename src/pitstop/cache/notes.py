"""Notes of a load that goes on: which tags it turned out to depend on, and why it must not be stored."""

from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar

from pitstop.cache.changes import ChangeLog

__all__ = ["Notes", "current_notes", "notes_here"]

_current: "ContextVar[Notes | None]" = ContextVar("pitstop_cache_notes", default=None)


class Notes:
    """What a load does, written down while it runs.

    Args:
        log: the change log.
        start: its change up to which everything was known when it began.
        track: whether its statements give it tags.

    Attributes:
        since: the change before everything that it read; earlier than its start where it read in a
            transaction that had begun before.
        tags: what it depends on beside the tags of its own function.
        obstacle: why its value must not be stored; empty if it may.
        private: whether what it read may be its caller's alone: no other caller may have the value either.
        outer: the notes of the load that it is a part of.
    """

    __slots__ = ("log", "obstacle", "outer", "private", "since", "start", "tags", "track")

    def __init__(self, log: ChangeLog, *, start: int, track: bool) -> None:
        self.log = log
        self.start = start
        self.since = start
        self.track = track
        self.tags: set[str] = set()
        self.obstacle = ""
        self.private = False
        self.outer = current_notes()

    def within(self) -> "Iterator[Notes]":
        """These notes, then those of the loads that they are a part of."""
        each: Notes | None = self
        while each is not None:
            yield each
            each = each.outer

    def depend(self, tags: Iterable[str]) -> None:
        """It depends on these tags as well."""
        self.tags.update(tags)

    def read_since(self, change: int) -> None:
        """It read what had been read, or a snapshot that had been taken, at an earlier moment."""
        if change < self.since:
            self.since = change
            self.private = True

    def refuse(self, why: str) -> None:
        """Its value must not be stored; the first reason counts."""
        self.obstacle = self.obstacle or why

    def keep_private(self, why: str) -> None:
        """Refuse, for a reason that lies in the transaction or the session of its caller."""
        self.refuse(why)
        self.private = True

    def enter(self) -> None:
        """Make these the notes of this context (a task's or a copied one, which ends with the load)."""
        _current.set(self)


def current_notes() -> "Notes | None":
    """The notes of the load that this code runs in, or None."""
    return _current.get()


notes_here: "Callable[[], Notes | None]" = _current.get  # the same, a third of the time: for the hot path
