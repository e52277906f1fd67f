"""The statistics against their definitions, and against simulation."""

import math
import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitstop.statistics import (
    estimate,
    interval_kind,
    paired_ratio,
    percentile,
    quantile_curve,
    unpaired_ratio,
)

values = st.lists(st.floats(min_value=0.001, max_value=1e6), min_size=1, max_size=200)


@given(values, st.integers(min_value=1, max_value=1000))
def test_percentile_is_the_smallest_value_that_enough_others_do_not_exceed(found, thousandths):
    """The nearest rank agrees with its definition, counted out with exact fractions."""
    ordered = sorted(found)
    share = Fraction(thousandths, 1000)
    naive = next(v for v in ordered if Fraction(sum(w <= v for w in ordered), len(ordered)) >= share)
    assert percentile(ordered, thousandths / 1000) == naive


@pytest.mark.parametrize(("share", "expected"), [(0.5, 10), (0.95, 19), (0.99, 20), (1.0, 20), (0.05, 1)])
def test_percentiles_of_twenty(share, expected):
    """Ranks that fall on a whole number are that number: 95% of twenty is the nineteenth."""
    assert percentile(range(1, 21), share) == expected


@pytest.mark.parametrize(("ordered", "share"), [([], 0.5), ([1.0], 0.0), ([1.0], 1.5)])
def test_no_percentile(ordered, share):
    """Nothing, or a share that is none, is an error and not a number."""
    with pytest.raises(ValueError, match="no percentile"):
        percentile(ordered, share)


@given(values)
def test_curve_is_the_distribution(found):
    """The curve never falls and ends at the largest value."""
    curve = quantile_curve(sorted(found))
    assert len(curve) == 200
    assert list(curve) == sorted(curve)
    assert curve[-1] == max(found)


@given(values, st.randoms())
def test_ratio_of_a_form_to_itself_is_one_and_turns_round(found, chance):
    """A ratio and its inverse are equally far from one, and so are their intervals."""
    other = found.copy()
    chance.shuffle(other)
    there, back = paired_ratio(found, other), paired_ratio(other, found)
    assert math.isclose(there.value * back.value, 1.0, rel_tol=1e-9)
    if there.low is not None:
        assert math.isclose(there.low * back.high, 1.0, rel_tol=1e-6)
        assert there.low <= there.value * (1 + 1e-9)
        assert there.value <= there.high * (1 + 1e-9)
    assert math.isclose(paired_ratio(found, found).value, 1.0)


def test_pairing_takes_out_the_drift():
    """A machine that slows down by half over the run leaves the ratio and its interval exact."""
    drift = [1.0, 0.8, 0.6, 0.5]
    ratio = paired_ratio([300 * d for d in drift], [100 * d for d in drift])
    assert ratio.value == pytest.approx(3.0)
    assert (ratio.low, ratio.high) == pytest.approx((3.0, 3.0))


@pytest.mark.parametrize("repeats", [3, 5, 40])
def test_interval_covers_the_truth_as_often_as_it_says(repeats):
    """Of 2,000 simulated runs with a known factor about 95% have it in their interval."""
    chance = random.Random(7)
    runs, hits = 2000, 0
    for _ in range(runs):
        before = [100 * math.exp(chance.gauss(0, 0.2)) for _ in range(repeats)]
        after = [1000 * math.exp(chance.gauss(0, 0.2)) for _ in range(repeats)]
        ratio = paired_ratio(after, before)
        hits += ratio.low <= 10.0 <= ratio.high
    assert 0.935 <= hits / runs <= 0.965


@pytest.mark.parametrize("repeats", [3, 6])
def test_unpaired_interval_covers_the_truth(repeats):
    """Of 2,000 simulated pairs of runs with unequal spread at least 94% have the factor in their interval."""
    chance = random.Random(11)
    runs, hits = 2000, 0
    for _ in range(runs):
        old = [100 * math.exp(chance.gauss(0, 0.3)) for _ in range(repeats)]
        new = [50 * math.exp(chance.gauss(0, 0.1)) for _ in range(repeats)]
        ratio = unpaired_ratio(new, old)
        hits += ratio.low <= 0.5 <= ratio.high
    assert hits / runs >= 0.94


def test_unpaired_ratio_of_steady_figures_is_exact():
    """Figures that never vary, such as statements, have an interval of no width."""
    ratio = unpaired_ratio([6.0] * 3, [2.0] * 3)
    assert (ratio.low, ratio.value, ratio.high) == pytest.approx((3.0, 3.0, 3.0))
    assert unpaired_ratio([6.0] * 2, [2.0] * 3).low is None
    assert unpaired_ratio([], [2.0]) is None


def test_few_repeats():
    """One repeat has no interval, and two show both of their values."""
    assert (estimate([5.0]).low, interval_kind(1)) == (None, "")
    two = paired_ratio([10.0, 40.0], [10.0, 10.0])
    assert (two.low, two.value, two.high) == pytest.approx((1.0, 2.0, 4.0))
    assert (interval_kind(2), interval_kind(3)) == ("both repeats", "95% interval")


def test_nothing_to_divide():
    """A figure of zero gives no ratio instead of infinity, and an estimate without interval."""
    assert paired_ratio([1.0], [0.0]) is None
    assert paired_ratio([], []) is None
    assert estimate([0.0, 1.0, 2.0]).low is None
    assert estimate([0.0, 1.0, 2.0]).value == 1.0


def test_enormous_spread_stays_finite():
    """Values over all orders of magnitude do not overflow."""
    ratio = paired_ratio([1e-300, 1e300, 1.0], [1.0, 1.0, 1.0])
    assert math.isfinite(ratio.high)
