"""One call of a cached function, as the cache sees it: its key, its tags, its options."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from pitstop.cache.codec import Codec
from pitstop.cache.ttl import Adaptive

__all__ = [
    "KEY_TAG",
    "Recipe",
    "Request",
    "family_of",
    "key_tag",
    "namespace_tag",
    "user_tag",
    "with_families",
]


KEY_TAG = "k:"

Mode = Literal["read", "early", "refresh", "renew"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How values of one function are kept.

    Attributes:
        name: of the function, for messages.
        namespace: whose statistics they count to, and whose token they carry.
        codec: their form in Redis.
        ttl: seconds they are fresh, or the rule for it.
        stale_for: seconds after that for which they may be served while they are loaded anew.
        negative_ttl: seconds that a None is fresh; None for ``ttl``, 0 for not at all.
        early: how eagerly they are loaded anew before their time is over; 0 for never.
        level: of compression.
        track: whether statements give them tags.
        repeatable: whether a load may run without its caller: nothing it was given belongs to the caller.
    """

    name: str
    namespace: str
    codec: Codec
    ttl: float | Adaptive
    stale_for: float = 0.0
    negative_ttl: float | None = None
    early: float = 0.0
    level: int = 1
    track: bool = False
    repeatable: bool = True


class Request(msgspec.Struct, frozen=True):  # a frozen dataclass takes five times as long to make
    """One call, or all calls with the same arguments.

    Attributes:
        recipe: of its function.
        key: of its value.
        tags: internal names of all its tags: its own, their families', its namespace's.
        call: makes the value; gives an awaitable where the function is async.
        look: the packed command that reads its value; empty where it is not at hand.
        seen: what it gave, and the newest change before it, where that is known already.
        given: the arguments.
        private: why what the load gives may be its caller's alone; empty if it may not.
        prompt: whether the caller gets what was loaded before Redis has it.
        answered: called with that.
        mode: ``"read"``; ``"early"`` loads although what is stored is fresh; ``"refresh"`` loads whatever is
            stored, and ``"renew"`` does so unless another is at it.
    """

    recipe: Recipe
    key: str
    tags: tuple[str, ...]
    call: Callable[[], Any]
    look: bytes = b""
    given: tuple[Any, ...] = ()
    private: str = ""
    prompt: bool = False
    answered: Callable[[Any], None] | None = None
    mode: Mode = "read"
    seen: tuple[list[Any], int] | None = None

    def ready(self, look: bytes) -> "Request":
        """The same with the command that reads its value."""
        return msgspec.structs.replace(self, look=look)

    def to(self, mode: Mode) -> "Request":
        """The same in another mode."""
        return msgspec.structs.replace(self, mode=mode)

    def after(self, replies: list[Any], start: int, *, mode: Mode) -> "Request":
        """The same after a look that was not enough."""
        return msgspec.structs.replace(self, seen=(replies, start), mode=mode)

    def kept_private(self, why: str) -> "Request":
        """The same for its caller alone; itself where there is no reason for that."""
        return msgspec.structs.replace(self, private=why) if why else self

    def called_by(self, call: Callable[[], Any]) -> "Request":
        """The same with something else that makes the value."""
        return msgspec.structs.replace(self, call=call)

    def answering(self, answered: Callable[[Any], None]) -> "Request":
        """The same with somebody who is told as soon as the function has answered."""
        return msgspec.structs.replace(self, answered=answered)


def user_tag(tag: str) -> str:
    """The internal name of a tag."""
    return f"t:{tag}"


def namespace_tag(namespace: str) -> str:
    """The internal name of a namespace, which is a tag that no user's tag can be."""
    return f"n:{namespace}"


def key_tag(key: str) -> str:
    """The internal name by which the change of one key is written down."""
    return KEY_TAG + key


def family_of(tag: str) -> str:
    """The part of a tag before its first colon, a tag of its own."""
    return tag.partition(":")[0]


def with_families(tags: tuple[str, ...]) -> tuple[str, ...]:
    """Internal names of tags and of their families, each once."""
    return tuple(dict.fromkeys(name for tag in tags for name in (user_tag(tag), user_tag(family_of(tag)))))
