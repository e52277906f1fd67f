"""Results made by hand, for what only reads them."""

from pitstop.bench.machine import this_machine
from pitstop.bench.meter import Reading
from pitstop.bench.records import Records
from pitstop.bench.result import SCHEMA, Parameters, Result
from pitstop.bench.summary import summarise
from pitstop.bench.verdict import failed_forms, notes, verdict
from pitstop.bench.window import Window
from pitstop.statistics import interval_kind

GOOD = "GET /posts"


def window(form, *, ms, seconds=2.0, errors=0, statements=None, name=GOOD):
    """One window: latencies in milliseconds, and so many requests that failed."""
    records = Records(users=4, window_s=seconds, generator_cpu=0.1)
    for number, each in enumerate(ms):
        records.add(f"{name}/{number % 2}", started=seconds * number / len(ms), ms=each)
    for _ in range(errors):
        records.add(name, started=0.0, ms=0.1, error="500 <b>oops</b>")
    count = len(records)
    first = Reading(0.0, 0.0, 1.0, 2.0, None if statements is None else 100)
    spent = (seconds, 0.9, 1.0 + count * 0.002, 2.0 + count * 0.001)
    last = Reading(*spent, None if statements is None else 100 + count * statements)
    return Window(form, records, first, last, 50 * 2**20)


def result(*windows_by_mode, repeat, forms=("naive", "tuned")):
    """A result of (mode, windows) pairs."""
    measurements = tuple(
        summarise(mode, windows, users=4, scenario="Made", forms=forms) for mode, windows in windows_by_mode
    )
    return Result(
        schema=SCHEMA,
        subject="made",
        started="2026-01-01T00:00:00+00:00",
        took_s=1.0,
        command="pitstop bench made",
        machine=this_machine(),
        parameters=Parameters(forms, 4, 4, 2.0, 0.0, repeat, 1),
        measurements=measurements,
        interval=interval_kind(repeat),
        verdict=verdict(measurements),
        failed=bool(failed_forms(measurements)),
        notes=notes(measurements, repeat=repeat),
    )


def pairs(*, before_ms, after_ms, repeat=3, requests=40, **after):
    """Windows of two forms with about these latencies; more requests where they are shorter."""
    found = []
    for number in range(repeat):
        wobble = 1 + 0.02 * number
        found.append(window("naive", ms=[before_ms * wobble] * requests, statements=165))
        quick = [after_ms * wobble] * int(requests * before_ms / after_ms)
        found.append(window("tuned", ms=quick, statements=2, **after))
    return found
