"""One counted window of one form, and the figures of it alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from pitstop.bench.meter import Reading
from pitstop.bench.records import Records
from pitstop.statistics import percentile

__all__ = ["Sample", "Window", "samples"]


@dataclass(frozen=True, slots=True)
class Window:
    """What one counted window left behind.

    Attributes:
        before, after: counters with nobody at work, on either side of the window.
        peak_memory_bytes: 0 where it is not known.
    """

    form: str
    records: Records
    before: Reading
    after: Reading
    peak_memory_bytes: int

    @property
    def requests(self) -> int:
        """Requests sent, with whatever outcome."""
        return len(self.records)

    def per_request(self, read: Callable[[Reading], float | None]) -> float | None:
        """By how much a counter grew per request; None where it cannot be read."""
        first, last = read(self.before), read(self.after)
        if first is None or last is None or not self.requests:
            return None
        return (last - first) / self.requests

    @property
    def cache_hit_rate(self) -> float | None:
        """Share of the calls in the window that caches answered; None without a cache, or without a call."""
        first, last = self.before.cache or (0, 0), self.after.cache
        if last is None or last[1] == first[1]:
            return None
        return (last[0] - first[0]) / (last[1] - first[1])

    @property
    def other_cores(self) -> float | None:
        """Cores that others than the form, its database and the generator kept busy; None if not known."""
        first, last = self.before, self.after
        if first.server_cpu_s is None or last.server_cpu_s is None:
            return None
        if first.postgres_cpu_s is None or last.postgres_cpu_s is None:
            return None
        ours = last.server_cpu_s - first.server_cpu_s + last.postgres_cpu_s - first.postgres_cpu_s
        ours += self.records.generator_cpu * self.records.window_s
        others = last.machine_cpu_s - first.machine_cpu_s - ours
        return max(others, 0.0) / max(last.at_s - first.at_s, 1e-9)


@dataclass(frozen=True, slots=True)
class Sample:
    """The requests of one window to one endpoint, or to all.

    Attributes:
        ordered: milliseconds of the successful ones, ascending.
        errors: how many had another outcome.
        span_s: from the window's begin until the last of them was answered, at least the window.
    """

    ordered: Sequence[float]
    errors: int
    span_s: float

    @property
    def requests_per_s(self) -> float | None:
        """Successful requests a second."""
        return len(self.ordered) / self.span_s if self.ordered else None

    @property
    def mean_ms(self) -> float | None:
        """Arithmetic mean of the latency."""
        return fmean(self.ordered) if self.ordered else None

    def percentile_ms(self, share: float) -> float | None:
        """A percentile of the latency."""
        return percentile(self.ordered, share) if self.ordered else None


def samples(records: Records) -> dict[str, Sample]:
    """Split a window by request name; ``""`` is all together, with users that got stuck as errors."""
    span_s = max([records.window_s, *map(_end_s, records.started, records.ms)])
    good: list[list[float]] = [[] for _ in records.endpoints]
    errors = [0] * len(records.endpoints)
    for endpoint, ms, outcome in zip(records.endpoint, records.ms, records.outcome, strict=True):
        if outcome:
            errors[endpoint] += 1
        else:
            good[endpoint].append(ms)
    parts = zip(records.endpoints, good, errors, strict=True)
    everything = sorted(ms for each in good for ms in each)
    together = Sample(everything, sum(errors) + records.stuck, span_s)
    return {"": together, **{name: Sample(sorted(ms), failed, span_s) for name, ms, failed in parts}}


def _end_s(started: float, ms: float) -> float:
    return started + ms / 1000.0
