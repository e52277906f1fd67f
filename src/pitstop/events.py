"""What happened, after the fact: rooms ``emit`` frozen records, others ``subscribe`` to their type.

A subscriber can neither block nor fail the work: it is called in the emitting thread, must return
at once, and what it raises is logged and swallowed. ``emit`` without a subscriber is one dictionary
look-up (``benchmarks/events.py`` holds the figure).
"""

import logging
import threading
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["emit", "subscribe", "wanted"]

log = logging.getLogger("pitstop.events")

Record = TypeVar("Record")
Unsubscribe = Callable[[], None]

_subscribers: dict[type, tuple[Callable[[Any], None], ...]] = {}
_lock = threading.Lock()


def subscribe(kind: type[Record], callback: Callable[[Record], None]) -> Unsubscribe:
    """Call ``callback`` with every record of exactly this type.

    Returns:
        a function that ends the subscription; calling it twice is harmless.
    """

    subscribed = [True]
    with _lock:
        _subscribers[kind] = (*_subscribers.get(kind, ()), callback)

    def unsubscribe() -> None:
        with _lock:
            if not subscribed:
                return
            subscribed.clear()
            left = list(_subscribers.pop(kind))
            left.remove(callback)  # one of them, should the same callback have subscribed twice
            if left:
                _subscribers[kind] = tuple(left)

    return unsubscribe


def wanted(kind: type) -> bool:
    """Whether anybody listens for records of this type: ask before building a costly one."""
    return kind in _subscribers


def emit(record: object) -> None:
    """Hand a record to the subscribers of its type, in the order they subscribed."""
    callbacks = _subscribers.get(type(record))
    if callbacks is None:
        return
    for callback in callbacks:
        try:
            callback(record)
        except Exception:
            log.exception("a subscriber failed on %s", type(record).__name__)
