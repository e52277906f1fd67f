"""The statistics of a load run: percentiles of one window, intervals over repeated windows. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median, stdev

__all__ = [
    "Estimate",
    "Ratio",
    "estimate",
    "interval_kind",
    "paired_ratio",
    "percentile",
    "quantile_curve",
    "unpaired_ratio",
]

# Two-sided 95% points of Student's t distribution for 1 to 30 degrees of freedom.
_T95 = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
    *(2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)


@dataclass(frozen=True, slots=True)
class Estimate:
    """One figure over the repeats of a run.

    Attributes:
        value: the median of the repeats.
        low, high: the interval (see ``interval_kind``), None with one repeat.
        values: the figure of each repeat, in the order they ran.
    """

    value: float
    low: float | None
    high: float | None
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Ratio:
    """The geometric mean of paired ratios, with its interval (see ``interval_kind``)."""

    value: float
    low: float | None
    high: float | None


def percentile(ordered: Sequence[float], share: float) -> float:
    """The nearest-rank percentile: the smallest value that at least ``share`` of all do not exceed.

    Args:
        ordered: the values in ascending order; at least one.
        share: 0 < share <= 1, e.g. 0.95.

    Raises:
        ValueError: there is no value, or the share is out of range.
    """
    if not ordered or not 0.0 < share <= 1.0:
        raise ValueError(f"no percentile {share} of {len(ordered)} values")
    # The rounding undoes the error of the product: 0.95 * 20 is a little over 19 in binary.
    rank = math.ceil(round(share * len(ordered), 9))
    return ordered[max(rank, 1) - 1]


def quantile_curve(ordered: Sequence[float], *, points: int = 200) -> tuple[float, ...]:
    """Percentiles at ``1/points, 2/points, ... 1``: the distribution, small enough to draw."""
    return tuple(percentile(ordered, step / points) for step in range(1, points + 1))


def estimate(values: Sequence[float]) -> Estimate:
    """Median and interval of one figure over repeats; at least one value."""
    middle = median(values)
    low, high = _log_interval(values)
    if low is not None and high is not None:
        low, high = min(low, middle), max(high, middle)
    return Estimate(middle, low, high, tuple(values))


def paired_ratio(numerators: Sequence[float], denominators: Sequence[float]) -> Ratio | None:
    """The ratio of two forms that ran in pairs, with an interval over the pairs' log ratios.

    Pairing takes out what drifts between repeats (clock speed, neighbours on the machine); the
    logarithm makes a ratio and its inverse equally far from 1. After Georges, Buytaert, Eeckhout,
    "Statistically rigorous Java performance evaluation" (OOPSLA 2007), section 3.2, with repeats as the
    unit of replication, and Fleming, Wallace, "How not to lie with statistics" (CACM 29(3), 1986)
    for the geometric mean.

    Returns:
        None if there is no pair or a value is not above zero.
    """
    pairs = list(zip(numerators, denominators, strict=True))
    if not pairs or any(above <= 0.0 or below <= 0.0 for above, below in pairs):
        return None
    ratios = [above / below for above, below in pairs]
    return Ratio(math.exp(fmean(map(math.log, ratios))), *_log_interval(ratios))


def unpaired_ratio(numerators: Sequence[float], denominators: Sequence[float]) -> Ratio | None:
    """The ratio of two runs made at different times: Welch's t interval of the logarithms.

    Welch, "The generalization of 'Student's' problem when several different population variances are
    involved", Biometrika 34 (1947). The interval needs three values on each side.

    Returns:
        None if there is no value on a side, or one is not above zero.
    """
    if not numerators or not denominators or min(*numerators, *denominators) <= 0.0:
        return None
    above, below = [[math.log(value) for value in side] for side in (numerators, denominators)]
    middle = fmean(above) - fmean(below)
    if min(len(above), len(below)) < 3:
        return Ratio(math.exp(middle), None, None)
    errors = [stdev(side) ** 2 / len(side) for side in (above, below)]
    spread = sum(e * e / (len(side) - 1) for e, side in zip(errors, (above, below), strict=True))
    degrees = int(sum(errors) ** 2 / spread) if spread else len(above) + len(below) - 2
    reach = min(_t95(max(degrees, 1)) * math.sqrt(sum(errors)), 300.0)
    return Ratio(math.exp(middle), math.exp(middle - reach), math.exp(middle + reach))


def interval_kind(repeats: int) -> str:
    """What an interval over so many repeats is.

    Two values make a t interval too, but one that reaches over four orders of magnitude where they
    differ by a half: it says less than the two values do, so these are shown, and called so.
    """
    if repeats < 2:
        return ""
    return "both repeats" if repeats == 2 else "95% interval"


def _log_interval(values: Sequence[float]) -> tuple[float | None, float | None]:
    if len(values) < 2 or min(values) <= 0.0:
        return None, None
    if len(values) == 2:
        return min(values), max(values)
    logs = [math.log(value) for value in values]
    reach = min(_t95(len(logs) - 1) * stdev(logs) / math.sqrt(len(logs)), 300.0)  # exp stays finite
    return math.exp(fmean(logs) - reach), math.exp(fmean(logs) + reach)


def _t95(degrees: int) -> float:
    if degrees <= len(_T95):
        return _T95[degrees - 1]
    # First terms of the Cornish-Fisher expansion about the normal point; < 0.001 off from here on.
    z = 1.959964
    return z + (z**3 + z) / (4 * degrees)
