"""Compares a result with an earlier one: what became better, what worse. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from pitstop.bench.amount import milliseconds, number, times
from pitstop.bench.records import Mode
from pitstop.bench.result import FormFigures, Measurement, Result
from pitstop.errors import BenchError
from pitstop.statistics import Estimate, Ratio, unpaired_ratio

__all__ = ["Change", "Comparison", "compare"]

TOLERANCE = 0.10

_METRICS: dict[Mode, tuple[str, ...]] = {
    "throughput": ("requests_per_s", "queries_per_request", "server_cpu_ms"),
    "latency": ("mean_ms", "p95_ms", "queries_per_request"),
}
_WORDS = {
    "requests_per_s": "requests/s",
    "queries_per_request": "queries/request",
    "server_cpu_ms": "server CPU/request",
    "mean_ms": "mean",
    "p95_ms": "p95",
    "errors": "errors",
}


@dataclass(frozen=True, slots=True)
class Change:
    """One figure of one form, then and now.

    Attributes:
        gain: how many times better it is now; below 1 is worse.
        low, high: 95% interval of it; None with fewer than three repeats on a side.
        regressed: shown to be worse, and by more than the tolerance.
    """

    mode: Mode
    form: str
    metric: str
    old: float
    new: float
    gain: float
    low: float | None
    high: float | None
    regressed: bool

    def __str__(self) -> str:
        show = milliseconds if self.metric.endswith("_ms") else number
        bounds = (
            "" if self.low is None or self.high is None else f" [{times(self.low)}x to {times(self.high)}x]"
        )
        changed = f"{show(self.old)} -> {show(self.new)}, {times(self.gain)}x{bounds}"
        return f"{self.mode}, {self.form}, {_WORDS[self.metric]}: {changed}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two results have in common.

    Attributes:
        changes: every figure that both have.
        warnings: why the two may not be comparable.
    """

    changes: tuple[Change, ...]
    warnings: tuple[str, ...]

    @property
    def regressions(self) -> tuple[Change, ...]:
        """What became worse."""
        return tuple(change for change in self.changes if change.regressed)


def compare(old: Result, new: Result, *, tolerance: float = TOLERANCE) -> Comparison:
    """Compare the forms that both results have, by name.

    A figure has regressed if its interval lies on the worse side altogether and the change is larger
    than the tolerance; errors have if there were none before.

    Args:
        tolerance: change that is let pass, as a share: 0.1 is a tenth.

    Raises:
        BenchError: they have no form and measurement in common.
    """
    changes = tuple(
        change
        for now in new.measurements
        if (then := old.measurement(now.mode))
        for change in _changes(then, now, tolerance)
    )
    if not changes:
        there = ", ".join(old.parameters.forms)
        raise BenchError(f"the earlier result has nothing of this one: it has {there} of {old.subject}")
    return Comparison(changes, tuple(_warnings(old, new)))


def _changes(then: Measurement, now: Measurement, tolerance: float) -> Iterator[Change]:
    earlier = {form.form: form for form in then.forms}
    for form in now.forms:
        before = earlier.get(form.form)
        if before is None:
            continue
        if form.all.errors:
            failed = float(before.all.errors), float(form.all.errors)
            yield Change(now.mode, form.form, "errors", *failed, 0.0, None, None, not before.all.errors)
        for metric in _METRICS[now.mode]:
            yield from _change(
                now.mode, form.form, metric, _read(before, metric), _read(form, metric), tolerance
            )


def _change(
    mode: Mode, form: str, metric: str, old: Estimate | None, new: Estimate | None, tolerance: float
) -> Iterator[Change]:
    if old is None or new is None:
        return
    more_is_better = metric == "requests_per_s"
    above, below = (new, old) if more_is_better else (old, new)
    ratio = unpaired_ratio(above.values, below.values)
    if ratio:
        worse = _worse(ratio, tolerance)
        yield Change(mode, form, metric, old.value, new.value, ratio.value, ratio.low, ratio.high, worse)


def _worse(ratio: Ratio, tolerance: float) -> bool:
    return ratio.high is not None and ratio.high < 1.0 and ratio.value < 1.0 / (1.0 + tolerance)


def _read(form: FormFigures, metric: str) -> Estimate | None:
    found: Estimate | None = getattr(form.all if hasattr(form.all, metric) else form, metric)
    return found


def _warnings(old: Result, new: Result) -> Iterator[str]:
    if (old.machine.cpu, old.machine.cores) != (new.machine.cpu, new.machine.cores):
        yield f"the earlier run was on another machine: {old.machine}"
    for name in ("users", "throughput_users", "scale"):
        then, now = getattr(old.parameters, name), getattr(new.parameters, name)
        if then != now:
            yield f"the earlier run had {name.replace('_', ' ')} {then}, this one has {now}"
    if min(old.parameters.repeat, new.parameters.repeat) < 3:
        yield "fewer than three repeats: a regression cannot be shown"
