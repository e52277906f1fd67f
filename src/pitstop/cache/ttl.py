"""How long values live: durations, life times by kind of data, adaptive ones, jitter and early refresh."""

import math
import random as _random
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from pitstop.errors import SettingsError

__all__ = ["TTL_BY_KIND", "Adaptive", "Duration", "jitter", "refreshes_early", "seconds", "seconds_or_none"]

Duration = float | int | str | timedelta
"""Seconds, ``"90s"``, ``"1h30m"``, a timedelta, or a kind of data such as ``"trending"``."""

TTL_BY_KIND = {
    "default": 300.0,
    "indices": 60.0,
    "live": 3600.0,
    "quotes": 600.0,
    "sentiment": 120.0,
    "statistics": 21600.0,
    "trending": 300.0,
    "watch_list": 1800.0,
}
"""Life time in seconds by kind of data."""

_LONGEST = 1e11  # what Redis can count in milliseconds
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])", re.ASCII)


def seconds(duration: Duration) -> float:
    """A duration in seconds.

    Args:
        duration: a number of seconds, a timedelta, parts such as ``"1h30m"`` (ms, s, m, h, d, w), or a key of
            ``TTL_BY_KIND``.

    Raises:
        SettingsError: it is none of these, or not more than zero and finite.
    """
    if isinstance(duration, str):
        found = TTL_BY_KIND.get(duration)
        found = _summed(duration) if found is None else found
    elif isinstance(duration, timedelta):
        found = duration.total_seconds()
    elif isinstance(duration, (int, float)) and not isinstance(duration, bool):
        found = _number(duration)
    else:
        raise _unreadable(duration)
    if not 0 < found <= _LONGEST:
        raise SettingsError(f"duration {duration!r} is not more than zero and finite (3,000 years at most)")
    return found


def seconds_or_none(duration: Duration) -> float:
    """A duration in seconds where 0 is allowed, too: not at all.

    Raises:
        SettingsError: as of :func:`seconds`.
    """
    return seconds(duration) if duration or isinstance(duration, str) else 0.0


def _summed(text: str) -> float:
    compact = text.replace(" ", "")
    if not compact or _PART.sub("", compact):
        raise _unreadable(text)
    return math.fsum(float(amount) * _UNITS[unit] for amount, unit in _PART.findall(compact))


def _number(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _unreadable(duration: object) -> SettingsError:
    kinds = ", ".join(TTL_BY_KIND)
    return SettingsError(f"duration {duration!r} cannot be read; write 300, '5m', '1h30m' or a kind: {kinds}")


@dataclass(frozen=True, slots=True)
class Adaptive:
    """A life time that popular and steady values stretch: ``base x (1 + popularity)``, at most ``cap``.

    ``popularity = hits / (hits + half_at) x (1 - changed / fills)``: it rises with the hits since the last
    fill (one half at ``half_at`` of them) and falls with the share of fills that found another value than
    the one before. It lies in 0..1.

    Attributes:
        base: the life time of what nobody reads.
        cap: the longest one, of the same form.
        half_at: hits that make the popularity of an unchanging value one half.

    Raises:
        SettingsError: a duration that cannot be read, a cap below the base, or ``half_at`` not above zero.
    """

    base: Duration
    cap: Duration = 600
    half_at: int = 50

    def __post_init__(self) -> None:
        if seconds(self.cap) < seconds(self.base):
            raise SettingsError(f"cap {self.cap!r} is below base {self.base!r}; give a longer cap=")
        if self.half_at <= 0:
            raise SettingsError(f"half_at {self.half_at!r} is not above zero")

    @staticmethod
    def _steadiness(fills: int, changed: int) -> float:
        return 1.0 - min(changed / fills, 1.0) if fills > 0 else 1.0

    def popularity(self, hits: int, *, fills: int = 0, changed: int = 0) -> float:
        """How much the life time is stretched, 0..1.

        Args:
            hits: reads answered from the cache since the last fill.
            fills: how often the value was loaded again so far.
            changed: how many of these found another value.
        """
        return hits / (hits + self.half_at) * self._steadiness(fills, changed)

    def ttl(self, hits: int, *, fills: int = 0, changed: int = 0) -> float:
        """The life time in seconds; arguments as of ``popularity``."""
        stretched = seconds(self.base) * (1.0 + self.popularity(hits, fills=fills, changed=changed))
        return min(stretched, seconds(self.cap))


def jitter(ttl: float, *, share: float = 0.1, random: Callable[[], float] = _random.random) -> float:
    """A life time made shorter at random, so that what was filled together does not expire together.

    Args:
        ttl: in seconds; it is never made longer, for it is a promise.
        share: how much of it may be taken away, 0..1.
        random: gives numbers in [0, 1).
    """
    return ttl * (1.0 - share * random())


def refreshes_early(
    now: float,
    *,
    expiry: float,
    load_seconds: float,
    beta: float = 1.0,
    random: Callable[[], float] = _random.random,
) -> bool:
    """Whether this reader refreshes a value before it expires (XFetch).

    ``now - load_seconds x beta x ln(random) >= expiry``: the nearer the end and the longer the load, the
    likelier, so that on average one of many readers does it alone. Source: Vattani, Chierichetti and
    Lowenstein, "Optimal Probabilistic Cache Stampede Prevention", PVLDB 8(8), 2015.

    Args:
        now: seconds, by the clock of ``expiry``.
        expiry: when the value stops being fresh.
        load_seconds: how long the last load took.
        beta: above 1 refreshes earlier, below 1 later.
        random: gives numbers in [0, 1).
    """
    return now - load_seconds * beta * math.log(1.0 - random()) >= expiry
