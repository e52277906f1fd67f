"""Runs a benchmark: every form in turn, in both measurements, as often as wished, in one interleaved run."""

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec

from pitstop.bench.load import Load, State, run_load
from pitstop.bench.machine import this_machine
from pitstop.bench.meter import Meter, Reading
from pitstop.bench.progress import Progress, Reporter
from pitstop.bench.records import Mode
from pitstop.bench.result import SCHEMA, Measurement, Parameters, Result
from pitstop.bench.stage import Form, Stage, set_stage
from pitstop.bench.subject import ServerPair, Service
from pitstop.bench.summary import summarise
from pitstop.bench.verdict import failed_forms, notes, verdict
from pitstop.bench.window import Window
from pitstop.errors import BenchError, require
from pitstop.statistics import interval_kind

__all__ = ["THROUGHPUT_USERS", "run_bench"]

THROUGHPUT_USERS = 16  # enough to keep two cores busy without turning the queue into the measurement
CHANGE_OVER_S = 1.5  # a generator's start, for the estimate of the time left
MODES: tuple[Mode, ...] = ("throughput", "latency")


@dataclass(frozen=True, slots=True)
class _Timing:
    """How the windows are made."""

    users: dict[Mode, int]
    seconds: float
    warmup: float
    repeat: int
    modes: tuple[Mode, ...]


def run_bench(
    subject: str | Service | ServerPair,
    *,
    users: int = 100,
    throughput_users: int = THROUGHPUT_USERS,
    seconds: float = 20.0,
    repeat: int = 3,
    warmup: float = 3.0,
    only: Mode | None = None,
    progress: Progress | None = None,
    command: str = "",
) -> Result:
    """Measure the forms of a service, or two servers, under the same load.

    Each repeat runs every form in turn, the order reversed from one repeat to the next, while the
    servers of the others stay idle. Nothing is printed.

    Args:
        subject: a service (or its name), or two servers that are up.
        users: simulated users of the latency run; each waits 1-3 s between its tasks.
        throughput_users: simulated users of the throughput run; they do not wait.
        seconds: of each counted window.
        repeat: windows of each form in each measurement; a 95% interval needs three.
        warmup: seconds before each window in which nothing is counted.
        only: make one of the two measurements.
        progress: is told what is being done, a few times a second.
        command: how this run can be repeated, for the result.

    Raises:
        MissingExtra: Locust (or what serves the forms) is not installed.
        BenchError: a server or load did not come up, or a form answered nothing with success.
        ServerError: no PostgreSQL to run on.
    """
    _check(users=users, throughput_users=throughput_users, seconds=seconds, repeat=repeat, warmup=warmup)
    _need_locust()
    begun, started = time.monotonic(), datetime.now(UTC).astimezone()
    modes = (only,) if only else MODES
    timing = _Timing({"throughput": throughput_users, "latency": users}, seconds, warmup, repeat, modes)
    prepare = Reporter(progress, windows=1, window_s=1.0).prepare
    with set_stage(Service(subject) if isinstance(subject, str) else subject, say=prepare) as stage:
        measurements = _measure(stage, timing, progress)
        machine = this_machine(postgresql=_postgresql(stage))
    return Result(
        schema=SCHEMA,
        subject=stage.subject,
        started=started.isoformat(timespec="seconds"),
        took_s=round(time.monotonic() - begun, 1),
        command=command,
        machine=machine,
        parameters=_parameters(stage, timing),
        measurements=measurements,
        interval=interval_kind(repeat),
        verdict=verdict(measurements),
        failed=bool(failed_forms(measurements)),
        notes=notes(measurements, repeat=repeat),
    )


def _need_locust() -> None:
    # Looked for and not imported: it would patch the standard library of this process.
    if find_spec("locust") is None:
        require("locust", extra="bench", what="load runs")


def _parameters(stage: Stage, timing: _Timing) -> Parameters:
    return Parameters(
        forms=tuple(form.name for form in stage.forms),
        users=timing.users["latency"],
        throughput_users=timing.users["throughput"],
        seconds=timing.seconds,
        warmup=timing.warmup,
        repeat=timing.repeat,
        scale=stage.scale,
    )


def _check(**values: float) -> None:
    for name, value in values.items():
        if value < (0 if name == "warmup" else 1):
            raise BenchError(f"{name} {value} cannot be run: use {0 if name == 'warmup' else 1} or more")


def _postgresql(stage: Stage) -> str | None:
    return next((form.database.version for form in stage.forms if form.database), None)


def _measure(stage: Stage, timing: _Timing, progress: Progress | None) -> tuple[Measurement, ...]:
    order = list(_order(stage.forms, timing))
    window_s = timing.warmup + timing.seconds + CHANGE_OVER_S
    reporter = Reporter(progress, windows=len(order), window_s=window_s)
    windows: dict[Mode, list[Window]] = defaultdict(list)
    for repeat, mode, form in order:
        reporter.begin(f"{mode}: {form.name}, {repeat} of {timing.repeat}")
        windows[mode].append(_window(stage, form, _load(stage, form, mode, timing), reporter))
        reporter.end()
    names = [form.name for form in stage.forms]
    return tuple(
        summarise(mode, windows[mode], users=timing.users[mode], scenario=stage.scenarios[mode], forms=names)
        for mode in timing.modes
    )


def _order(forms: Sequence[Form], timing: _Timing) -> Iterator[tuple[int, Mode, Form]]:
    """Every repeat turns the order of the forms round, so that neither always runs on a machine
    that the other has warmed up, or worn out.
    """
    for repeat in range(1, timing.repeat + 1):
        for mode in timing.modes:
            for form in forms if repeat % 2 else reversed(forms):
                yield repeat, mode, form


def _load(stage: Stage, form: Form, mode: Mode, timing: _Timing) -> Load:
    return Load(
        url=form.url,
        locustfile=stage.locustfile,
        user_class=stage.scenarios[mode],
        mode=mode,
        users=timing.users[mode],
        seconds=timing.seconds,
        warmup=timing.warmup,
    )


def _window(stage: Stage, form: Form, load: Load, reporter: Reporter) -> Window:
    meter = Meter(pid=form.pid, database=form.database, counts_url=form.counts_url)
    first: list[Reading] = []

    def follow(state: State) -> None:
        within_s = state.seconds + (load.warmup if state.at == "counting" else 0.0)
        rate = state.requests / state.seconds if state.seconds else 0.0
        reporter.follow(within_s, requests_per_s=rate, errors=state.errors)
        meter.sample()

    records = run_load(
        load, directory=stage.directory, begin=lambda: first.append(meter.read()), follow=follow
    )
    last = meter.read()
    meter.sample()
    return Window(form.name, records, first[0], last, meter.peak_memory_bytes)
