"""The rows of a measurement's table, in words, shared by terminal and page. Pure."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pitstop.bench.amount import mebibytes, milliseconds, number, percent
from pitstop.bench.result import FormFigures, Gain, Measurement
from pitstop.statistics import Estimate

__all__ = ["Row", "busiest_endpoints", "heading", "table_rows"]

UNKNOWN = "-"
ENDPOINTS = 12


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table.

    Attributes:
        label: what is measured.
        cells: one for each form.
        gains: one for each form after the first, None where nothing is compared.
        important: whether the eye should find it first.
        failed: whether it tells of errors.
    """

    label: str
    cells: tuple[str, ...]
    gains: tuple[Gain | None, ...]
    important: bool = False
    failed: bool = False


_Read = Callable[[FormFigures], Estimate | None]
_Line = tuple[str, str, _Read, Callable[[float], str]]

_LATENCY: tuple[_Line, ...] = (
    ("mean", "mean_ms", lambda form: form.all.mean_ms, milliseconds),
    ("p50", "p50_ms", lambda form: form.all.p50_ms, milliseconds),
    ("p95", "p95_ms", lambda form: form.all.p95_ms, milliseconds),
    ("p99", "p99_ms", lambda form: form.all.p99_ms, milliseconds),
)
_RATE: tuple[_Line, ...] = (("requests/s", "requests_per_s", lambda form: form.all.requests_per_s, number),)
_COST: tuple[_Line, ...] = (
    ("queries/request", "queries_per_request", lambda form: form.queries_per_request, number),
    ("server CPU/request", "server_cpu_ms", lambda form: form.server_cpu_ms, milliseconds),
    ("PostgreSQL CPU/request", "postgres_cpu_ms", lambda form: form.postgres_cpu_ms, milliseconds),
    ("peak memory", "peak_memory_bytes", lambda form: form.peak_memory_bytes, mebibytes),
)
_HIT_RATE: _Line = ("cache hit rate", "cache_hit_rate", lambda form: form.cache_hit_rate, percent)


def heading(measurement: Measurement) -> str:
    """What the measurement was: ``throughput: 16 users without waiting, BlogList100``."""
    waiting = "without waiting" if measurement.mode == "throughput" else "waiting 1-3 s"
    scenario = f", {measurement.scenario}" if measurement.scenario else ""
    return f"{measurement.mode}: {measurement.users} users {waiting}{scenario}"


def table_rows(measurement: Measurement) -> Iterator[Row]:
    """All rows, what the measurement is for at the top."""
    first = _RATE + _LATENCY if measurement.mode == "throughput" else _LATENCY + _RATE
    chief = "requests_per_s" if measurement.mode == "throughput" else "p95_ms"
    for line in first + _COST:
        yield _row(measurement, line, important=line[1] == chief)
    if any(form.cache_hit_rate for form in measurement.forms):
        yield _row(measurement, _HIT_RATE, important=False)
    yield _errors(measurement)
    names = busiest_endpoints(measurement)
    if len(names) > 1:
        for name in names:
            yield _endpoint(measurement, name)


def busiest_endpoints(measurement: Measurement) -> list[str]:
    """The endpoints with the most requests, in alphabetical order, so many as a table can hold."""
    sent: Counter[str] = Counter()
    for form in measurement.forms:
        sent.update({name: each.requests + each.errors for name, each in form.endpoints.items()})
    return sorted(name for name, _ in sent.most_common(ENDPOINTS))


def _row(measurement: Measurement, line: _Line, *, important: bool) -> Row:
    label, metric, read, show = line
    cells = tuple(_cell(read(form), show) for form in measurement.forms)
    gains = tuple(measurement.gain(form.form, metric) for form in measurement.forms[1:])
    return Row(label, cells, gains, important)


def _errors(measurement: Measurement) -> Row:
    counts = [form.all.errors for form in measurement.forms]
    cells = tuple(f"{count:,}" for count in counts)
    return Row("errors", cells, (None,) * (len(counts) - 1), failed=any(counts))


def _endpoint(measurement: Measurement, name: str) -> Row:
    found = [form.endpoints.get(name) for form in measurement.forms]
    cells = tuple(_cell(each.p95_ms if each else None, milliseconds) for each in found)
    gains = tuple(measurement.gain(form.form, "p95_ms", endpoint=name) for form in measurement.forms[1:])
    return Row(f"p95 of {name}", cells, gains)


def _cell(estimate: Estimate | None, show: Callable[[float], str]) -> str:
    return show(estimate.value) if estimate else UNKNOWN
