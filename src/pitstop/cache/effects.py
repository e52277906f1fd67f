"""What a flow asks for, what it is given, and what it ends with."""

from collections.abc import Callable, Generator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from pitstop.cache.commands import Command
from pitstop.cache.memory import Held
from pitstop.cache.notes import Notes
from pitstop.errors import RedisUnavailable

__all__ = ["Barrier", "Call", "Called", "Effect", "Flow", "Outcome", "Steps", "Wait", "checked"]


@dataclass(frozen=True, slots=True)
class Call:
    """Call the function; gives a :class:`Called`."""

    function: Callable[[], Any]
    notes: Notes


@dataclass(frozen=True, slots=True)
class Called:
    """What the function returned or raised, and how many seconds it took."""

    value: Any
    error: Exception | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait for a signal; gives whether it came in time."""

    future: "Future[None]"
    seconds: float


@dataclass(frozen=True, slots=True)
class Barrier:
    """Wait until all that was announced so far is in the change log; gives whether that is known."""


Effect = list[Command] | Call | Wait | Barrier
T = TypeVar("T")
Steps = Generator[Effect, Any, T]
Flow = Steps["Outcome"]


class Outcome(msgspec.Struct, frozen=True):  # a frozen dataclass takes five times as long to make
    """What a flow ended with.

    Attributes:
        value: what the caller gets.
        tags: all that it depends on.
        held: it in memory, if it may be held.
        shareable: whether somebody who asked while it was under way may have it as well.
        error: what the function raised.
        stale: whether its time is over and it is to be loaded anew.
        missing: whether there is no value: another process is renewing it.
        private: whether it is for nobody but the caller that loaded it.
    """

    value: Any
    tags: tuple[str, ...]
    held: Held | None = None
    shareable: bool = False
    error: Exception | None = None
    stale: bool = False
    missing: bool = False
    private: bool = False


def checked(replies: list[Any]) -> list[Any]:
    """Replies none of which is an error: a server that refuses a command is as good as away."""
    for reply in replies:
        if isinstance(reply, Exception):
            raise RedisUnavailable(f"redis refuses a command of the cache: {reply}")
    return replies
