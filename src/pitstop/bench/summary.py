"""From the windows of a run to its figures: medians over repeats, gains over pairs. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from pitstop.bench.records import Mode
from pitstop.bench.result import Figures, FormFigures, Gain, Measurement
from pitstop.bench.window import Sample, Window, samples
from pitstop.errors import BenchError
from pitstop.statistics import Estimate, estimate, paired_ratio, quantile_curve

__all__ = ["summarise"]

MESSAGES = 5
LATENCIES = ("mean_ms", "p50_ms", "p95_ms", "p99_ms")
COSTS = ("queries_per_request", "server_cpu_ms", "postgres_cpu_ms", "peak_memory_bytes")


def summarise(
    mode: Mode, windows: Sequence[Window], *, users: int, scenario: str, forms: Sequence[str]
) -> Measurement:
    """Put the windows of one measurement together; each form has one per repeat, in order.

    Raises:
        BenchError: a form answered nothing with success.
    """
    figures = tuple(_form([each for each in windows if each.form == form], form) for form in forms)
    gains = tuple(gain for after in figures[1:] for gain in _gains(mode, figures[0], after))
    return Measurement(mode, users, scenario, figures, gains)


def _form(windows: Sequence[Window], form: str) -> FormFigures:
    split = [samples(window.records) for window in windows]
    messages = _messages(windows)
    if not all(each[""].ordered for each in split):
        _refuse(form, sum(window.requests for window in windows), messages)
    names = sorted({name for each in split for name in each if name})
    pooled = sorted(ms for each in split for ms in each[""].ordered)
    return FormFigures(
        form=form,
        all=_figures([each[""] for each in split]),
        endpoints={name: _figures([each[name] for each in split if name in each]) for name in names},
        queries_per_request=_over(windows, lambda w: w.per_request(lambda r: r.statements)),
        server_cpu_ms=_over(windows, lambda w: _ms(w.per_request(lambda r: r.server_cpu_s))),
        postgres_cpu_ms=_over(windows, lambda w: _ms(w.per_request(lambda r: r.postgres_cpu_s))),
        peak_memory_bytes=_over(windows, lambda w: w.peak_memory_bytes or None),
        generator_cpu=_over(windows, lambda w: w.records.generator_cpu),
        other_cores=_over(windows, lambda w: w.other_cores),
        first_errors=messages,
        curve=quantile_curve(pooled),
        cache_hit_rate=_over(windows, lambda w: w.cache_hit_rate),
    )


def _refuse(form: str, requests: int, messages: dict[str, int]) -> None:
    if not requests:
        raise BenchError(f"no request to {form!r} ended in its window: give it more --seconds")
    first = next(iter(messages), "no message")
    raise BenchError(f"all requests to {form!r} failed in a window; the first said: {first}")


def _figures(parts: Sequence[Sample]) -> Figures:
    return Figures(
        requests=sum(len(part.ordered) for part in parts),
        errors=sum(part.errors for part in parts),
        requests_per_s=_estimate(part.requests_per_s for part in parts),
        mean_ms=_estimate(part.mean_ms for part in parts),
        p50_ms=_estimate(part.percentile_ms(0.50) for part in parts),
        p95_ms=_estimate(part.percentile_ms(0.95) for part in parts),
        p99_ms=_estimate(part.percentile_ms(0.99) for part in parts),
    )


def _over(windows: Iterable[Window], read: Callable[[Window], float | None]) -> Estimate | None:
    return _estimate(read(window) for window in windows)


def _estimate(values: Iterable[float | None]) -> Estimate | None:
    """Of all repeats or of none: a repeat left out would break the pairs."""
    known = list(values)
    there = [value for value in known if value is not None]
    return estimate(there) if there and len(there) == len(known) else None


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000.0


def _messages(windows: Sequence[Window]) -> dict[str, int]:
    """The first error messages in the order they came, with how often each did."""
    counted: Counter[str] = Counter()
    for window in windows:
        outcomes = window.records.outcomes
        counted.update(outcomes[bad] for bad in window.records.outcome if bad)
        if window.records.stuck:
            counted["a user's task did not end after the window"] += window.records.stuck
    return dict(list(counted.items())[:MESSAGES])


def _gains(mode: Mode, before: FormFigures, after: FormFigures) -> list[Gain]:
    if before.all.errors or after.all.errors:  # an error is quick to send: nothing to compare
        return []
    gains = [
        _gain(after.form, metric, "", getattr(before, metric), getattr(after, metric)) for metric in COSTS
    ]
    shared = [name for name in after.endpoints if name in before.endpoints]
    pairs = [("", before.all, after.all), *((n, before.endpoints[n], after.endpoints[n]) for n in shared)]
    for name, old, new in pairs:
        if mode == "throughput":  # in the other one the users' waiting sets the rate
            gains.append(_gain(after.form, "requests_per_s", name, new.requests_per_s, old.requests_per_s))
        gains += [_gain(after.form, each, name, getattr(old, each), getattr(new, each)) for each in LATENCIES]
    return [gain for gain in gains if gain is not None]


def _gain(
    form: str, metric: str, endpoint: str, over: Estimate | None, under: Estimate | None
) -> Gain | None:
    if over is None or under is None or len(over.values) != len(under.values):
        return None
    ratio = paired_ratio(over.values, under.values)
    return None if ratio is None else Gain(form, metric, endpoint, ratio.value, ratio.low, ratio.high)
