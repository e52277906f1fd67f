"""What a comparison of two states says, by its interval and its plans."""

import pytest

from pitstop.advisor.indexes.trial import Comparison
from pitstop.statistics import Ratio

SCAN = {"Node Type": "Seq Scan", "Relation Name": "orders"}
SEARCH = {"Node Type": "Index Scan", "Relation Name": "orders", "Index Name": "ix"}


def compared(value: float, low: float | None, high: float | None, *, changed: bool = True) -> Comparison:
    """Ten milliseconds before, and so many times as long after."""
    return Comparison(10.0, 10.0 * value, Ratio(value, low, high), SCAN, SEARCH if changed else SCAN)


@pytest.mark.parametrize(
    ("ratio", "faster", "slower", "unclear"),
    [
        ((0.5, 0.4, 0.6), True, False, False),
        ((1.5, 1.2, 1.8), False, True, False),
        ((1.0, 0.97, 1.03), False, False, False),
        ((0.97, 0.96, 0.98), False, False, False),  # too little to count
        ((0.7, 0.4, 1.3), False, False, True),
        ((1.0, 0.6, 1.7), False, False, True),
        ((0.9, 0.79, 1.02), False, False, True),
        ((1.2, 0.98, 1.5), False, False, False),  # it may be slower, and is not faster
        ((0.4, None, None), True, False, False),  # timed once, and slow beyond doubt
        ((0.7, None, None), False, False, False),
    ],
)
def test_verdicts(
    ratio: tuple[float, float | None, float | None], faster: bool, slower: bool, unclear: bool
) -> None:
    """A difference counts by its interval; an interval that holds anything is no verdict."""
    found = compared(*ratio)
    assert (found.is_faster, found.is_slower, found.is_unclear) == (faster, slower, unclear)


def test_one_plan() -> None:
    """Where both states have one plan, what differs is noise, however much it is."""
    found = compared(0.5, 0.2, 1.4, changed=False)
    assert (found.is_faster, found.is_slower, found.is_unclear) == (False, False, False)
    assert found.saved_ms == 0.0
