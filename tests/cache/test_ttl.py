"""Life times."""

from datetime import timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitstop.cache.ttl import TTL_BY_KIND, Adaptive, jitter, refreshes_early, seconds
from pitstop.errors import SettingsError


@pytest.mark.parametrize(
    ("duration", "expected"),
    [
        *((300, 300.0), (0.5, 0.5), ("5m", 300.0), ("90s", 90.0), ("1h30m", 5400.0), ("1h 30m", 5400.0)),
        *(
            ("250ms", 0.25),
            ("1.5h", 5400.0),
            ("2d", 172800.0),
            ("1w", 604800.0),
            (timedelta(minutes=2), 120.0),
        ),
        *TTL_BY_KIND.items(),
    ],
)
def test_durations_are_read(duration: Any, expected: float) -> None:
    """Numbers, parts with units, timedeltas and kinds of data are all seconds."""
    assert seconds(duration) == expected


_WRONG: list[Any] = [
    *(
        0,
        -1,
        float("nan"),
        float("inf"),
        10**400,
        True,
        None,
        "",
        " ",
        "5",
        "5x",
        "m",
        "0s",
        "-5m",
        "5m!",
        "Trending",
    ),
    *("٥m", timedelta(0), b"5m", [5], "9" * 400 + "s"),
]


@pytest.mark.parametrize("duration", _WRONG)
def test_other_durations_are_refused(duration: Any) -> None:
    """What is no duration, or not above zero and finite, is a SettingsError."""
    with pytest.raises(SettingsError, match="duration"):
        seconds(duration)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_popularity_stretches_up_to_the_cap(hits: int, fills: int, changed: int) -> None:
    """The life time lies between the base and twice the base, never above the cap."""
    adaptive = Adaptive("trending", cap=500)
    assert 0 <= adaptive.popularity(hits, fills=fills, changed=changed) <= 1
    assert 300 <= adaptive.ttl(hits, fills=fills, changed=changed) <= 500


def test_reads_lengthen_and_changes_shorten() -> None:
    """More hits make it longer, values that change make it shorter; nobody reads: the base."""
    adaptive = Adaptive("trending")
    assert adaptive.ttl(0) == 300
    assert adaptive.ttl(50) == 450
    assert adaptive.ttl(50) < adaptive.ttl(500) <= 600
    assert adaptive.ttl(50, fills=10, changed=5) == 375
    assert adaptive.ttl(50, fills=10, changed=10) == 300


def test_a_cap_below_the_base_is_refused() -> None:
    """A base longer than the cap would be made shorter, which nobody asked for."""
    for options in ({"base": "1h"}, {"base": 60, "half_at": 0}, {"base": "x"}):
        with pytest.raises(SettingsError):
            Adaptive(**options)  # type: ignore[arg-type]
    assert Adaptive("1h", cap="2h").ttl(0) == 3600


def test_jitter_only_shortens() -> None:
    """Life times are spread below what was promised."""
    random = Random(1).random
    spread = [jitter(100.0, share=0.2, random=random) for _ in range(1000)]
    assert 80 < min(spread) < 81
    assert 99 < max(spread) <= 100


def test_early_refresh_follows_the_formula() -> None:
    """Before the end the chance is exp(-remaining / (load x beta)); at the end it is certain."""
    random = Random(2).random
    drawn = [refreshes_early(98.0, expiry=100.0, load_seconds=2.0, random=random) for _ in range(20_000)]
    assert sum(drawn) / len(drawn) == pytest.approx(0.3679, abs=0.015)
    assert refreshes_early(100.0, expiry=100.0, load_seconds=0.0)
    assert not refreshes_early(0.0, expiry=100.0, load_seconds=0.001)
