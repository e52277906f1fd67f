"""Writes a result to a directory: ``result.json``, and ``report.html`` that opens without a network."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from pitstop.bench.amount import factor, milliseconds, number, times
from pitstop.bench.plot import endpoint_plot, latency_plot, throughput_plot
from pitstop.bench.result import Measurement, Result, dump_result
from pitstop.bench.rows import heading, table_rows
from pitstop.errors import BenchError, require
from pitstop.statistics import Estimate

__all__ = ["write_report"]


@dataclass(frozen=True, slots=True)
class Card:
    """One large figure at the head of the page."""

    figure: str
    label: str
    detail: str


def write_report(result: Result, directory: Path) -> Path:
    """Write both files, each whole or not at all.

    Args:
        directory: made if it is not there; a result that is there already is replaced.

    Returns:
        the path of the page.

    Raises:
        MissingExtra: Jinja is not installed.
        BenchError: the directory cannot be written.
    """
    page = render_page(result)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        _replace(directory / "result.json", dump_result(result))
        _replace(directory / "report.html", page.encode())
    except OSError as error:
        raise BenchError(f"cannot write the report to {directory}: {error.strerror}") from error
    return directory / "report.html"


def _replace(path: Path, data: bytes) -> None:
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(data)
    os.replace(partial, path)


def render_page(result: Result) -> str:
    """The page as text.

    Raises:
        MissingExtra: Jinja is not installed.
    """
    jinja2 = require("jinja2", extra="bench", what="reports")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(files("pitstop.bench").joinpath("report.html.j2").read_text("utf-8"))
    page: str = template.render(
        result=result,
        cards=list(_cards(result)),
        plots={each.mode: list(_plots(each)) for each in result.measurements},
        heading=heading,
        rows=table_rows,
        factor=factor,
    )
    return page


def _plots(measurement: Measurement) -> Iterator[str]:
    if measurement.mode == "throughput":
        yield throughput_plot(measurement)
        return
    yield latency_plot(measurement)
    if any(len(form.endpoints) > 1 for form in measurement.forms):
        yield endpoint_plot(measurement)


def _cards(result: Result) -> Iterator[Card]:
    """The gains worth a large figure: only in a run without errors."""
    for measurement in () if result.failed else result.measurements:
        before, after = measurement.forms[0], measurement.forms[-1]
        if measurement.mode == "throughput":
            rates = before.all.requests_per_s, after.all.requests_per_s
            queries = before.queries_per_request, after.queries_per_request
            yield from _card(measurement, "requests_per_s", "more requests/s", rates, _rate)
            yield from _card(measurement, "queries_per_request", "fewer queries per request", queries, number)
        else:
            latencies = before.all.p95_ms, after.all.p95_ms
            yield from _card(measurement, "p95_ms", "shorter 95th percentile", latencies, milliseconds)


def _rate(value: float) -> str:
    return f"{number(value)}/s"


def _card(
    measurement: Measurement,
    metric: str,
    label: str,
    pair: tuple[Estimate | None, Estimate | None],
    show: Callable[[float], str],
) -> Iterator[Card]:
    gain = measurement.gain(measurement.forms[-1].form, metric)
    old, new = pair
    if gain and old and new and (gain.value if gain.low is None else gain.low) > 1.0:
        detail = f"{show(old.value)} \u2192 {show(new.value)}"
        yield Card(f"{times(gain.value)}\u00d7", label, detail)
