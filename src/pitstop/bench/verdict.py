"""The finding of a run in sentences, and what a careful reader must know. Pure."""

from collections.abc import Iterable, Iterator, Sequence

from pitstop.bench.amount import interval, milliseconds, number, times
from pitstop.bench.records import OTHER_ENDPOINTS
from pitstop.bench.result import FormFigures, Gain, Measurement

__all__ = ["failed_forms", "notes", "verdict"]

GENERATOR_BUSY = 0.85  # share of a core
OTHERS_BUSY = 0.35  # cores; the kernel's own share of the network traffic stays below
KEPT_UP = 0.8  # share of the requests that users without any delay would have made
MEAN_THINK_S = 2.0


def verdict(measurements: Sequence[Measurement]) -> tuple[str, ...]:
    """The sentences, the most important first. A form with errors is never called faster."""
    errors = [_error_sentence(measurement, form) for measurement, form in failed_forms(measurements)]
    return (*errors, *(sentence for each in measurements for sentence in _sentences(each)))


def failed_forms(measurements: Iterable[Measurement]) -> list[tuple[Measurement, FormFigures]]:
    """Forms that answered with errors, and in which measurement."""
    return [(each, form) for each in measurements for form in each.forms if form.all.errors]


def _error_sentence(measurement: Measurement, form: FormFigures) -> str:
    sent = form.all.errors + form.all.requests
    first = next(iter(form.first_errors), "no message")
    return (
        f"{form.form} failed {form.all.errors} of {sent} requests in the {measurement.mode} run "
        f"(first: {first}), so its figures there prove nothing."
    )


def _sentences(measurement: Measurement) -> Iterator[str]:
    before, *others = measurement.forms
    if not others and not before.all.errors:
        yield _alone(measurement, before)
    for after in others:
        if not (before.all.errors or after.all.errors):
            if measurement.mode == "throughput":
                yield _throughput(measurement, before, after)
            else:
                yield _latency(measurement, before, after)


def _alone(measurement: Measurement, form: FormFigures) -> str:
    rate, late = form.all.requests_per_s, form.all.p95_ms
    users = f"with {measurement.users} users"
    if measurement.mode == "throughput" and rate:
        return f"{form.form} serves {number(rate.value)} requests/s {users} who do not wait."
    within = milliseconds(late.value) if late else "no time"
    return f"{form.form} answers 95% of requests within {within} {users}."


def _throughput(measurement: Measurement, before: FormFigures, after: FormFigures) -> str:
    gain = measurement.gain(after.form, "requests_per_s")
    old, new = before.all.requests_per_s, after.all.requests_per_s
    if gain is None or old is None or new is None:
        return f"{after.form} and {before.form} cannot be compared in throughput."
    figures = f"{number(new.value)} requests/s instead of {number(old.value)}"
    if _undecided(gain):
        return f"No difference shown in throughput: {after.form} serves {figures} {interval(gain)}."
    if gain.value < 1.0:
        return f"{after.form} is SLOWER than {before.form}: {figures}, {times(gain.value)}x {interval(gain)}."
    many = f"{times(gain.value)}x as many requests as {before.form}"
    return f"{after.form} serves {many}: {figures} {interval(gain)}.".replace(" .", ".")


def _latency(measurement: Measurement, before: FormFigures, after: FormFigures) -> str:
    gain = measurement.gain(after.form, "p95_ms")
    old, new = before.all.p95_ms, after.all.p95_ms
    if gain is None or old is None or new is None:
        return f"{after.form} and {before.form} cannot be compared in latency."
    figures = f"95% of requests within {milliseconds(new.value)} instead of {milliseconds(old.value)}"
    said = f"{after.form} answers {figures} with {measurement.users} users"
    if _undecided(gain):
        return f"No difference shown in latency: {said} {interval(gain)}."
    much = "SLOWER, " if gain.value < 1.0 else ""
    return f"{said}: {much}{times(gain.value)}x {interval(gain)}.".replace(" .", ".")


def _undecided(gain: Gain) -> bool:
    return gain.low is not None and gain.high is not None and gain.low <= 1.0 <= gain.high


def notes(measurements: Sequence[Measurement], *, repeat: int) -> tuple[str, ...]:
    """Remarks on the figures: what limits them, what is missing."""
    return tuple(dict.fromkeys([*_general(measurements, repeat), *_of_forms(measurements)]))


def _general(measurements: Sequence[Measurement], repeat: int) -> Iterator[str]:
    if repeat < 3:
        shown = "no interval" if repeat == 1 else "no 95% interval (both values are shown)"
        yield f"{repeat} repeat{'s' if repeat > 1 else ''}: {shown}; three or more give one."
    forms = [form for each in measurements for form in each.forms]
    others = [core for form in forms if form.other_cores for core in form.other_cores.values]
    if others and max(others) > OTHERS_BUSY:
        yield (
            f"Other programs kept up to {max(others):.1f} cores busy meanwhile: the figures are worse "
            "and vary more than on a machine that does nothing else."
        )
    if any(form.queries_per_request is None for form in forms):
        yield "Queries per request are not known: they need --dsn and a database with pg_stat_statements."
    if any(form.server_cpu_ms is None for form in forms):
        yield "CPU and memory are not known: no process was found (--before-pid, --after-pid)."


def _of_forms(measurements: Sequence[Measurement]) -> Iterator[str]:
    """Remarks on single forms."""
    for measurement in measurements:
        for form in measurement.forms:
            busy = form.generator_cpu
            if busy and busy.value > GENERATOR_BUSY:
                yield (
                    f"{measurement.mode}: the load generator used {busy.value:.0%} of a core "
                    f"against {form.form}, which may be faster than shown."
                )
            if OTHER_ENDPOINTS in form.endpoints:
                yield (
                    f"{measurement.mode}: the scenario has more than 100 request names: "
                    "give requests with ids a name, client.get(url, name=...)."
                )
            if measurement.mode == "latency" and not _kept_up(measurement, form):
                yield _behind(measurement, form)


def _kept_up(measurement: Measurement, form: FormFigures) -> bool:
    rate = form.all.requests_per_s
    return rate is None or form.all.errors > 0 or rate.value >= KEPT_UP * measurement.users / MEAN_THINK_S


def _behind(measurement: Measurement, form: FormFigures) -> str:
    rate = form.all.requests_per_s.value if form.all.requests_per_s else 0.0
    wanted = number(measurement.users / MEAN_THINK_S)
    return (
        f"latency: {form.form} did not keep up: {number(rate)} of the {wanted} requests/s that its users "
        "wanted to send; the rest waited unsent and is not in its percentiles."
    )
