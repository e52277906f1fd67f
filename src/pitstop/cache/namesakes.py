"""Functions of one name that enclose other objects, as those a factory makes: each has its own values."""

import inspect
import logging
import weakref
from collections.abc import Callable
from typing import Any

from pitstop.cache.key import encloses_plainly

__all__ = ["Namesakes"]

log = logging.getLogger("pitstop.cache")


class _Family:
    """The functions that have one identity; living ones are compared, and no number is given twice."""

    def __init__(self) -> None:
        self.given = 0
        self.members: list[tuple[weakref.ref[Any], int]] = []


class Namesakes:
    """Tells functions apart that their keys alone do not: by what is in their closures.

    Plain values there are part of the key. Of other objects no process can tell another which they are: the
    first function is number 0 everywhere, and who encloses others the next.
    """

    def __init__(self) -> None:
        self._families: dict[bytes, _Family] = {}

    def number(self, identity: bytes, function: Callable[..., Any]) -> int:
        """The number of a function among its namesakes.

        Args:
            identity: what its keys begin with.
            function: as decorated.
        """
        inner = inspect.unwrap(function)
        mine = _enclosed(inner)
        if not mine:
            return 0
        family = self._families.setdefault(identity, _Family())
        family.members = [each for each in family.members if each[0]() is not None]
        for member, number in family.members:
            theirs = _enclosed(member())
            if len(mine) == len(theirs) and all(map(_same, mine, theirs)):
                family.members.append((weakref.ref(inner), number))
                return number
        number, family.given = family.given, family.given + 1
        family.members.append((weakref.ref(inner), number))
        if number == 1:
            log.warning(
                "%s.%s is cached several times and encloses other objects each time: each has values of its "
                "own; give them as arguments instead",
                inner.__module__,
                inner.__qualname__,
            )
        return number


def _same(one: Any, other: Any) -> bool:
    return one is other


def _enclosed(function: Any) -> list[Any]:
    """What a closure holds and a key does not."""
    cells = getattr(function, "__closure__", None) or ()
    found = []
    for cell in cells:
        try:
            content = cell.cell_contents
        except ValueError:  # its variable comes later: it may be the function itself
            continue
        if not encloses_plainly(content):
            found.append(content)
    return found
