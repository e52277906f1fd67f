"""The result of a run, as it is kept: plain records, written to and read from ``result.json``."""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from pitstop.bench.machine import Machine
from pitstop.bench.records import Mode
from pitstop.errors import BenchError
from pitstop.statistics import Estimate

__all__ = [
    "SCHEMA",
    "Figures",
    "FormFigures",
    "Gain",
    "Measurement",
    "Parameters",
    "Result",
    "dump_result",
    "load_result",
]

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Figures:
    """What users saw of one endpoint, or of all together.

    Attributes:
        requests: answered with success, over all repeats.
        errors: not answered, or answered with an error, over all repeats.
        requests_per_s: successful requests, over the time until the last of them was answered.
        mean_ms, p50_ms, p95_ms, p99_ms: of successful requests, by the nearest-rank definition.
    """

    requests: int
    errors: int
    requests_per_s: Estimate | None
    mean_ms: Estimate | None
    p50_ms: Estimate | None
    p95_ms: Estimate | None
    p99_ms: Estimate | None


@dataclass(frozen=True, slots=True)
class FormFigures:
    """One form in one measurement; None where something could not be measured.

    Attributes:
        all: every request together.
        endpoints: by request name.
        queries_per_request: statements that PostgreSQL executed, transaction control left out.
        server_cpu_ms: CPU of the form's processes per request, milliseconds.
        postgres_cpu_ms: CPU of PostgreSQL's processes per request, milliseconds.
        peak_memory_bytes: highest resident memory of the form's processes.
        generator_cpu: share of one core that the load generator needed.
        other_cores: cores that programs beside the run kept busy meanwhile.
        first_errors: the first messages, with how often each came.
        curve: 200 percentiles of the pooled latencies at 0.5%, 1%, ... 100%, milliseconds.
        cache_hit_rate: share of the calls of its caches that they answered, 0..1.
    """

    form: str
    all: Figures
    endpoints: dict[str, Figures]
    queries_per_request: Estimate | None
    server_cpu_ms: Estimate | None
    postgres_cpu_ms: Estimate | None
    peak_memory_bytes: Estimate | None
    generator_cpu: Estimate | None
    other_cores: Estimate | None
    first_errors: dict[str, int]
    curve: tuple[float, ...]
    cache_hit_rate: Estimate | None = None


@dataclass(frozen=True, slots=True)
class Gain:
    """How many times better a form is than the first one; above 1 is better for every metric.

    Attributes:
        metric: a field of ``Figures`` or ``FormFigures``.
        endpoint: request name, ``""`` for all together.
        value: geometric mean of the ratios of each repeat.
        low, high: the interval (``Result.interval``); None with one repeat.
    """

    form: str
    metric: str
    endpoint: str
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Measurement:
    """One of the two measurements.

    Attributes:
        mode: ``"throughput"`` (no waiting) or ``"latency"`` (each user waits 1-3 s).
        users: simulated users.
        scenario: the Locust class.
        forms: in the order they were given; the first is what the others are compared to.
        gains: of every form but the first.
    """

    mode: Mode
    users: int
    scenario: str
    forms: tuple[FormFigures, ...]
    gains: tuple[Gain, ...]

    def gain(self, form: str, metric: str, *, endpoint: str = "") -> Gain | None:
        """The gain of a form in a metric, None where it could not be computed."""
        for gain in self.gains:
            if (gain.form, gain.metric, gain.endpoint) == (form, metric, endpoint):
                return gain
        return None


@dataclass(frozen=True, slots=True)
class Parameters:
    """How the run was made; times in seconds."""

    forms: tuple[str, ...]
    users: int
    throughput_users: int
    seconds: float
    warmup: float
    repeat: int
    scale: int | None


@dataclass(frozen=True, slots=True)
class Result:
    """Everything that a run found.

    Attributes:
        schema: version of this record's form.
        subject: what was measured, e.g. ``"blog"``.
        started: ISO 8601 with zone.
        took_s: the whole run, preparation included, seconds.
        verdict: the finding in sentences; the first one is the headline.
        interval: what the intervals are: ``"95% interval"``, ``"both repeats"`` or ``""`` (none).
        failed: whether a form answered with errors.
        notes: what a careful reader must know about these figures.
    """

    schema: int
    subject: str
    started: str
    took_s: float
    command: str
    machine: Machine
    parameters: Parameters
    measurements: tuple[Measurement, ...]
    interval: str
    verdict: tuple[str, ...]
    failed: bool
    notes: tuple[str, ...]

    def measurement(self, mode: Mode) -> Measurement | None:
        """One of the two measurements, None if it was not made."""
        return next((each for each in self.measurements if each.mode == mode), None)


def dump_result(result: Result) -> bytes:
    """The result as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n"


def load_result(path: Path) -> Result:
    """Read a ``result.json``, or the one in a directory.

    Raises:
        BenchError: there is none, or it is not a result that this version reads.
    """
    file = path / "result.json" if path.is_dir() else path
    try:
        data = file.read_bytes()
    except OSError as error:
        raise BenchError(f"no result at {file}: {error.strerror}") from error
    try:
        schema = msgspec.json.decode(data, type=_Header).schema
        if schema != SCHEMA:
            raise BenchError(
                f"{file} has schema {schema} and this pitstop reads {SCHEMA}: run the bench again"
            )
        return msgspec.json.decode(data, type=Result)
    except msgspec.MsgspecError as error:
        raise BenchError(f"{file} is not a bench result: {error}") from error


@dataclass(frozen=True, slots=True)
class _Header:
    schema: int
