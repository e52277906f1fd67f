"""Whether settings make a server faster: pgbench, in turn, on a server with them and one without."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from statistics import median

from pitstop.bench.pgbench import Side
from pitstop.errors import BenchError
from pitstop.pool.tune import Advice, Tuning
from pitstop.statistics import Ratio, paired_ratio

__all__ = ["SettingsTrial", "Trial", "measure_settings"]

# Settings that work together are tried together.
_GROUPS: dict[str, tuple[str, ...]] = {
    "memory": ("shared_buffers", "effective_cache_size", "work_mem", "maintenance_work_mem"),
    "planner": ("random_page_cost", "effective_io_concurrency", "jit", "default_statistics_target"),
    "parallel": (
        *("max_worker_processes", "max_parallel_workers"),
        *("max_parallel_workers_per_gather", "max_parallel_maintenance_workers"),
    ),
    "log": ("max_wal_size", "min_wal_size", "checkpoint_timeout", "checkpoint_completion_target"),
}
_GROUP_OF = {name: group for group, names in _GROUPS.items() for name in names}


@dataclass(frozen=True, slots=True)
class Trial:
    """Settings that were tried together.

    Attributes:
        group: their name: ``"memory"``, ``"planner"``, ``"parallel"``, ``"log"``; ``"control"``: none, which
            shows what the machine's other work makes of a comparison.
        advice: the settings.
        before, after: transactions a second without and with them, medians.
        ratio: after to before, paired; its interval decides.
        accepted: whether the interval lies above 1, and the gain above what the control showed.
    """

    group: str
    advice: tuple[Advice, ...]
    before: float
    after: float
    ratio: Ratio
    accepted: bool


@dataclass(frozen=True, slots=True)
class SettingsTrial:
    """How settings are tried.

    Attributes:
        rounds: windows of each side, in turn; three or more.
        seconds: length of each window.
        clients: of pgbench.
        scale: of pgbench's tables, 15 MB each; when no database is copied.
        source: the database to copy, or None.
        script: of pgbench, for the tables of ``source``; None for pgbench's own, one write in ten.
    """

    rounds: int = 5
    seconds: int = 4
    clients: int = 8
    scale: int = 10
    source: str | None = None
    script: Path | None = None

    def __post_init__(self) -> None:
        if self.rounds < 3:
            raise BenchError(f"rounds is {self.rounds}: an interval needs three")
        if self.script is not None and not self.script.is_file():
            raise BenchError(f"there is no script '{self.script}'")


def measure_settings(
    tuning: Tuning, how: SettingsTrial, *, progress: Callable[[str], None] | None = None
) -> list[Trial]:
    """Try the advice, group by group, on two private servers with the same data.

    Each starts with the settings that the server has now. What is accepted stays for the groups that follow.
    Not tried is what is no matter of speed: safety, ``max_connections``, and memory that must be lowered.

    Args:
        tuning: the advice.
        how: load and data.
        progress: gets a line for each step.

    Raises:
        BenchError: pgbench or its data cannot be had here.
        ServerError: a private server does not come up.
    """
    say = progress or (lambda line: None)
    trials: list[Trial] = []
    with Side() as without, Side() as trying:
        for side in (without, trying):
            say("load the data")
            _fill(side, how)
        settled = {
            each.name: each.current for each in tuning.advice if each.current and each.name in _GROUP_OF
        }
        for group, advice in [("control", ()), *_grouped(tuning)]:
            say(f"try {group}: {', '.join(f'{each.name} = {each.value}' for each in advice) or 'no change'}")
            wanted = settled | {each.name: each.value for each in advice}
            without.set(settled)
            trying.set(wanted)
            trial = _compare(group, advice, without, trying, how)
            if trials and trial.accepted and trial.ratio.value < _noise(trials[0].ratio):
                trial = replace(trial, accepted=False)
            trials.append(trial)
            settled = wanted if trial.accepted else settled
    return trials


def _noise(control: Ratio) -> float:
    """The gain that no change at all may show."""
    return max(control.high or 1.0, 1.0 / (control.low or 1.0))


def _fill(side: Side, how: SettingsTrial) -> None:
    if how.source is not None and how.script is not None:
        side.copy(how.source)
    else:
        side.fill(scale=how.scale)


def _grouped(tuning: Tuning) -> Iterator[tuple[str, tuple[Advice, ...]]]:
    tried = [each for each in tuning.advice if each.name in _GROUP_OF]
    if tuning.takes_too_much:
        tried = [each for each in tried if _GROUP_OF[each.name] != "memory"]
    known = sorted(tried, key=lambda each: _order(each.name))
    for group, members in groupby(known, key=lambda each: _GROUP_OF[each.name]):
        yield group, tuple(members)


def _order(name: str) -> int:
    return [*_GROUP_OF].index(name)


def _compare(
    group: str, advice: tuple[Advice, ...], without: Side, trying: Side, how: SettingsTrial
) -> Trial:
    def rate(side: Side) -> float:
        return side.rate(seconds=how.seconds, clients=how.clients, script=how.script)

    rate(without), rate(trying)  # their caches are cold
    before: list[float] = []
    after: list[float] = []
    for number in range(how.rounds):
        order = [(without, before), (trying, after)]
        for side, rates in order if number % 2 == 0 else reversed(order):
            rates.append(rate(side))
    ratio = paired_ratio(after, before) or Ratio(1.0, None, None)
    return Trial(
        group, advice, median(before), median(after), ratio, bool(advice) and (ratio.low or 0.0) > 1.0
    )
