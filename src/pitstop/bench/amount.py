"""Amounts as a person reads them: milliseconds, factors with intervals, bytes. Pure."""

from pitstop.bench.result import Gain

__all__ = ["factor", "interval", "mebibytes", "milliseconds", "number", "percent", "times"]


def number(value: float) -> str:
    """About three digits, thousands separated: ``0.012``, ``3.40``, ``1,234``; whole ones as they are."""
    size = abs(value)
    if size >= 100 or value == int(value):
        return f"{value:,.0f}"
    if size >= 10:
        return f"{value:.1f}"
    if size >= 1:
        return f"{value:.2f}"
    return f"{value:.3f}"


def milliseconds(value: float) -> str:
    """With the unit that suits: ``850 ms``, ``12.4 s``."""
    return f"{number(value / 1000)} s" if value >= 10_000 else f"{number(value)} ms"


def mebibytes(value: float) -> str:
    """``128 MiB``."""
    return f"{value / 2**20:,.0f} MiB"


def percent(value: float) -> str:
    """A share: ``93.5%``."""
    return f"{value:.1%}"


def factor(gain: Gain) -> str:
    """``14.2x [13.1x to 15.4x]``."""
    return f"{times(gain.value)}x {interval(gain)}".rstrip()


def interval(gain: Gain) -> str:
    """``[13.1x to 15.4x]``, empty where there is none."""
    if gain.low is None or gain.high is None:
        return ""
    return f"[{times(gain.low)}x to {times(gain.high)}x]"


def times(value: float) -> str:
    """A factor's own digits."""
    if value > 1e6:
        return "> 1,000,000"
    if value < 1e-3:
        return "< 0.001"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
