"""The cache in the process: values by key, bounded by their number and by their bytes."""

import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

from pitstop.cache.changes import ChangeLog
from pitstop.cache.clock import clock

__all__ = ["Held", "Memory", "size_of"]

_MAX_CHANCES = 32
_MAX_PARTS = 500
_ATOMS = (int, float, complex, bool, type(None), type)


class Held:
    """A value in memory.

    Attributes:
        value: what the function returned.
        tags: all its tags, families and namespace included.
        checked: the change (:class:`pitstop.cache.changes.ChangeLog`) up to which it is known to hold.
        fresh_until, stale_until: by :data:`pitstop.cache.clock.clock`.
        load_seconds: what the load took.
        since: when it was put here.
        size: bytes, an estimate.
        used: whether it was read since the memory last looked for something to drop.
        shortcut: where the function keeps it by its arguments, to be taken back with it.
    """

    __slots__ = (
        "checked",
        "fresh_until",
        "load_seconds",
        "refreshing",
        "shortcut",
        "since",
        "size",
        "stale_until",
        "tags",
        "used",
        "value",
    )

    def __init__(
        self,
        value: Any,
        *,
        tags: tuple[str, ...],
        checked: int,
        fresh_until: float,
        stale_until: float,
        load_seconds: float,
        size: int,
    ) -> None:
        self.value = value
        self.tags = tags
        self.checked = checked
        self.fresh_until = fresh_until
        self.stale_until = stale_until
        self.load_seconds = load_seconds
        self.since = clock()
        self.size = size
        self.used = False
        self.refreshing = False
        self.shortcut: tuple[dict[Any, Held], Any] | None = None

    def still_holds(self, changes: ChangeLog) -> bool:
        """Whether nothing that it depends on has changed since it was last looked at."""
        number = changes.changes  # before the look: what comes after it is looked at next time
        if not changes.unchanged(self.tags, self.checked):
            return False
        self.checked = number
        return True

    def found_by(self, table: "dict[Any, Held]", call: Any) -> None:
        """Put it where a call finds it without a key, too."""
        table[call] = self
        self.shortcut = (table, call)
        if not self.fresh_until:  # dropped meanwhile
            table.pop(call, None)


class Memory:
    """Values by key. What was not read lately goes first (second chance). Safe to use from several threads.

    Args:
        max_items: how many are kept.
        max_bytes: how large they are together, by :func:`size_of`.

    Attributes:
        evictions: how many were dropped for want of room.
        bytes: how large they are now.
    """

    def __init__(self, *, max_items: int, max_bytes: int) -> None:
        self.max_items = max_items
        self._max_bytes = max_bytes
        self._items: dict[str, Held] = {}
        self._lock = threading.Lock()
        self.evictions = 0
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._items)

    def get(self, key: str) -> Held | None:
        """What is held under a key; whether it still holds is for the caller to say."""
        held = self._items.get(key)
        if held is not None:
            held.used = True
        return held

    def put(self, key: str, held: Held, *, if_still: Callable[[], bool] = lambda: True) -> bool:
        """Hold a value; False if it is larger than the whole memory.

        Args:
            key, held: the value.
            if_still: asked with no :meth:`drop` under way: who drops a key says so first, and a value that
                was found before it must not come after it.
        """
        with self._lock:
            self._drop(key)
            if held.size > self._max_bytes or self.max_items <= 0 or not if_still():
                return False
            self._items[key] = held
            self.bytes += held.size
            self._make_room()
        return True

    def drop(self, key: str) -> None:
        """Hold it no longer."""
        with self._lock:
            self._drop(key)

    def clear(self) -> None:
        """Hold nothing; takes as long as nothing, however much it was."""
        with self._lock:
            self._items = {}
            self.bytes = 0

    def held_keys(self) -> list[str]:
        """The keys held now."""
        return list(self._items)

    def _drop(self, key: str) -> None:
        held = self._items.pop(key, None)
        if held is not None:
            self.bytes -= held.size
            # read through a shortcut it is known to be gone by its age
            held.fresh_until = held.stale_until = 0.0
            if held.shortcut is not None:
                table, call = held.shortcut
                if table.get(call) is held:
                    table.pop(call, None)

    def _make_room(self) -> None:
        chances = _MAX_CHANCES
        while len(self._items) > self.max_items or self.bytes > self._max_bytes:
            key = next(iter(self._items))
            held = self._items[key]
            if held.used and chances:
                chances -= 1  # bounded: one call does not pay for all that were read
                held.used = False
                self._items[key] = self._items.pop(key)
            else:
                self._drop(key)
                self.evictions += 1


def size_of(value: Any) -> int:
    """About how many bytes a value takes. Of a large one a part is measured, the rest taken to be alike."""
    total = 0
    parts = 0
    seen: set[int] = set()
    stack = [value]
    while stack and parts < _MAX_PARTS:
        each = stack.pop()
        if id(each) in seen:
            continue
        parts += 1
        total += sys.getsizeof(each)
        if not isinstance(each, _ATOMS):
            seen.add(id(each))
            stack.extend(_parts(each))
    return total if not stack else round(total * (1 + len(stack) / parts))


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, str | bytes | bytearray):
        return ()
    if isinstance(value, dict):
        return [*value, *value.values()]
    if isinstance(value, list | tuple | set | frozenset):
        return value
    fields = [_field(value, name) for kind in type(value).__mro__ for name in _slots(kind)]
    state = getattr(value, "__dict__", None)
    return [*fields, state] if state else fields


def _field(value: Any, name: str) -> Any:
    try:
        return getattr(value, name, None)
    except Exception:  # noqa: BLE001 - an object's own way to make an attribute may fail: it has none
        return None


def _slots(kind: type) -> tuple[str, ...]:
    slots = kind.__dict__.get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)
