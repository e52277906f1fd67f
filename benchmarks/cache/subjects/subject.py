"""What a benchmark asks of a cache: each cache, in each of its modes, is one adapter behind this face."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

__all__ = ["ABSENT", "AsyncLoad", "Commit", "Load", "NotOffered", "Order", "Subject"]

TTL = 60  # seconds
ABSENT: Any = object()

Order = dict[str, Any]
Load = Callable[[int], Any]
AsyncLoad = Callable[[int], Awaitable[Order]]
Commit = Callable[[], Awaitable[None]]


class NotOffered(Exception):
    """The cache has nothing for this question; the message says what it lacks."""


class Subject(Protocol):
    """One cache in one mode.

    Attributes:
        name: what the tables call it.
        answers: the questions that it takes part in.
        blocking: its cached functions are plain functions, as are those it wraps.
        hooked: it learns of commits from SQLAlchemy sessions, not from ``write``.
    """

    name: str
    answers: frozenset[str]
    blocking: bool = False
    hooked: bool = False

    async def start(self, url: str, *, prefix: str) -> None:
        """Connect to the Redis at ``url``; every key begins with ``prefix``."""

    async def close(self) -> None:
        """Let go of connections and tasks."""

    async def ready(self) -> None:
        """Wait until it caches, should it have lost its Redis: the benchmark empties it between subjects."""

    def wrap(self, load: Load) -> Load:
        """``load(key)`` cached for ``TTL`` seconds, under the tag of all items where there are tags."""
        ...

    async def forget(self, key: int) -> None:
        """Invalidate one item, as the cache's documentation recommends."""
        raise NotOffered("no invalidation")

    async def write(self, key: int, commit: Commit) -> None:
        """Commit a change of the row behind an item and invalidate it."""
        await commit()
        await self.forget(key)

    async def clear(self) -> None:
        """Invalidate every item by one tag, or by what stands for it."""
        raise NotOffered("no tags")

    def raw(self, key: int) -> tuple[str, str | None] | None:
        """The Redis key of an item and the set that lists it for its tag; None: fill it by calls."""
        return None

    async def set_many(self, orders: Mapping[int, Order]) -> None:
        """Store several items by key."""
        raise NotOffered("no get of many keys")

    async def get_many(self, keys: Sequence[int]) -> object:
        """Several items at once, decoded."""
        raise NotOffered("no get of many keys")

    def watch(self, model: type) -> None:
        """Invalidate an item whenever a session commits a change of its ``model`` row (``hooked`` ones)."""
