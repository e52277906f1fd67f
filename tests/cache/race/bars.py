"""The bars of the cache's promise: each races, and gives its figures beside what they must be."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cache.race.kills import kill_writers, seconds_of_bypass
from tests.cache.race.party import Party
from tests.cache.race.trouble import (
    Trouble,
    cut,
    delay,
    freeze_redis,
    freeze_workers,
    half_open,
    proxies,
    restart_redis,
)
from tests.cache.server import OwnRedis

__all__ = ["Figure", "Ground", "bounded", "cold_key", "hang", "killed", "strict", "troubled", "write_latency"]

LEASE = 1.0
BLOCK = 25  # commits
PAUSE = 0.01  # between them, seconds: one that follows at once waits for the disk to be done with the last
SOFT = 0.1


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure.

    Attributes:
        name: what was measured.
        value: with its unit.
        bar: what it must be; empty if it is only told.
        holds: whether it is.
    """

    name: str
    value: str
    bar: str = ""
    holds: bool = True


@dataclass(frozen=True, slots=True)
class Ground:
    """Where a race takes place.

    Attributes:
        directory: of boards and logs.
        database_url: of a database of its own.
        redis: a server of its own.
    """

    directory: Path
    database_url: str
    redis: OwnRedis

    def party(self, name: str, *, urls: Sequence[str] = (), **settings: Any) -> Party:
        """Processes on this ground; each has its own place for what it writes down."""
        directory = self.directory / name
        settings = {"redis_urls": urls or [self.redis.url], "database_url": self.database_url, **settings}
        return Party(directory, **settings)


def strict(ground: Ground, *, rounds: int, seconds: float, tracked: bool = False) -> list[Figure]:
    """Commits in four processes, which all read meanwhile: three isolation levels, async and sync."""
    kinds = ["async", "sync", "tracked"] if tracked else ["async", "sync"]
    with ground.party("strict", rows=16, tracked=tracked) as party:
        answers = party.all("race", seconds=seconds, commits=rounds // 4, kinds=kinds, writers=4, pace=0.002)
        _verify_all_up(party)
    return [
        Figure("strict: commits raced", str(_sum(answers, "commits"))),
        Figure("strict: reads raced", str(_sum(answers, "reads"))),
        _no_stale("strict", answers),
        Figure("strict: errors", str([each["errors"] for each in answers if each["errors"]] or "none")),
    ]


def bounded(ground: Ground, *, seconds: float) -> list[Figure]:
    """The same without waiting: a process sees what it wrote, the others after the bound at most."""
    with ground.party("bounded", rows=16, coherence="bounded") as party:
        answers = party.all("race", seconds=seconds, kinds=["async", "sync"], writers=2)
    own = _sum(answers, "own")
    behind = sorted(moment for each in answers for moment in each["behind"])
    worst = behind[-1] if behind else 0.0
    return [
        Figure("bounded: commits, reads", f"{_sum(answers, 'commits')}, {_sum(answers, 'reads')}"),
        Figure("bounded: stale in the writing process", str(own), "0", own == 0),
        Figure("bounded: stale elsewhere", str(len(behind))),
        Figure("bounded: behind p50 / p99", f"{_ms(behind, 0.5)} / {_ms(behind, 0.99)}"),
        Figure(
            "bounded: behind at most",
            f"{worst * 1000:.1f} ms",
            f"{LEASE:g} s + scheduling",
            worst < LEASE + 0.5,
        ),
    ]


def killed(ground: Ground, *, writers: int, bypass: bool = False) -> list[Figure]:
    """Writers killed between fence and COMMIT, and between COMMIT and its announcement."""
    with ground.party("killed", rows=writers + 1, linger=0.001, lease=0.2) as party:
        found = kill_writers(party, writers)
        figures = [
            Figure("killed: writers", str(found["killed"])),
            Figure("killed: reads about them", str(found["reads"])),
            Figure(
                "killed: stale reads", f"{found['stale']} {found['examples'] or ''}", "0", not found["stale"]
            ),
        ]
        if bypass:
            seconds = seconds_of_bypass(party, writers)
            figures.append(
                Figure("killed: its rows are loaded for", f"{seconds:.1f} s", "<= 32 s", seconds <= 32)
            )
    return figures


TROUBLES = ("frozen", "hung", "hung shortly", "restarted", "cut", "half open", "delayed")


def troubled(
    ground: Ground, what: str, *, seconds: float, order: str, failure: str = "refuse"
) -> list[Figure]:
    """A race (``race`` of commits, or ``store`` of values by hand) in one of the troubles."""
    name = f"{what}, {order}, {failure}"
    with proxies(ground.redis, 4) as ways:
        by_proxy = what in ("cut", "half open", "delayed")
        urls = [way.url for way in ways] if by_proxy else [ground.redis.url]
        with ground.party(name.replace(", ", "-"), urls=urls, rows=64, on_fence_failure=failure) as party:
            makers: dict[str, Trouble] = {
                "frozen": freeze_workers(party.workers, seconds=LEASE * 1.3),
                "hung": freeze_redis(ground.redis, least=LEASE, most=LEASE * 2.5),
                "hung shortly": freeze_redis(ground.redis, least=0.05, most=LEASE * 1.3),
                "restarted": restart_redis(ground.redis),
                "cut": cut(ways),
                "half open": half_open(ways, seconds=LEASE * 1.2),
                "delayed": delay(ways, seconds=0.3),
            }
            more: dict[str, Any] = {"kinds": ["async", "sync"], "pace": 0.001} if order == "race" else {}
            party.send(order, seconds=seconds, callers=4, **more)
            makers[what](seconds - LEASE)
            answers = party.answers(seconds=seconds + 90.0)
    return [
        Figure(f"{name}: writes, reads", f"{_sum(answers, 'commits')}, {_sum(answers, 'reads')}"),
        _no_stale(name, answers),
    ]


def write_latency(ground: Ground, *, commits: int, slack: float = 0.0) -> list[Figure]:
    """What the cache adds to a commit: with all processes alive, and with one frozen.

    Args:
        slack: seconds that other work on the machine may add.
    """
    with ground.party("latency", rows=4 * commits) as party:
        first = party.workers[0]
        first.do("write", row=0)  # the first one waits out the lease before this epoch
        alive, without = [], []
        for begin in range(0, commits, BLOCK):  # in turn: what else the machine does is in both
            rows = list(range(begin, min(begin + BLOCK, commits)))
            alive += first.do("commits", rows=rows, pause=PAUSE)["write_seconds"]
            first.do("silence")
            without += first.do("commits", rows=rows, pause=PAUSE)["write_seconds"]
            first.do("speak")
        alive.sort()
        without.sort()
        with _frozen(party):
            frozen = first.do("commits", rows=list(range(5)))["write_seconds"]
    added = _at(alive, 0.5) - _at(without, 0.5)
    added99 = _at(alive, 0.99) - _at(without, 0.99)
    slowest, *others = sorted(frozen, reverse=True)
    later = _at(sorted(others), 0.5)
    return [
        Figure("commit, no cache: p50 / p99", f"{_ms(without, 0.5)} / {_ms(without, 0.99)}"),
        Figure("commit, 4 processes alive: p50 / p99", f"{_ms(alive, 0.5)} / {_ms(alive, 0.99)}"),
        Figure(
            "commit: added p50 / p99",
            f"{added * 1000:.1f} / {added99 * 1000:.1f} ms",
            "p99 <= 5 ms",
            added99 <= 0.005 + slack,
        ),
        Figure(
            "commit, one frozen: the slowest",
            f"{slowest * 1000:.0f} ms",
            f"<= {LEASE:g} s",
            slowest <= LEASE + slack,
        ),
        Figure("commit, one frozen: p50 of the others", f"{later * 1000:.0f} ms", "< 0.5 s", later < 0.5),
    ]


def hang(ground: Ground, *, failure: str) -> list[Figure]:
    """Redis stands still: what reads and commits take, and what they give afterwards."""
    with ground.party(f"hang-{failure}", rows=4, linger=0.0, on_fence_failure=failure) as party:
        first, second = party.workers[:2]
        first.do("write", row=0)
        for worker in (first, second):
            worker.do("reads", row=0, number=20)
        warm = first.do("reads", row=1, number=50, pause=0.0)["read_seconds"][1:]
        loading = first.do("bypassed", row=0, number=50)["read_seconds"]
        ground.redis.freeze()
        try:
            cold = first.do("reads", row=2, number=10)["read_seconds"]
            hung = first.do("reads", row=0, number=150, pause=0.02)
            commits = [first.do("write", row=0), first.do("write", row=0)]
            after = first.do("reads", row=0, number=20)
        finally:
            ground.redis.thaw()
        woken = [each for _ in range(20) for each in [first.do("read", row=0), second.do("read", row=0)]]
        time.sleep(LEASE * 2)
        back = second.do("reads", row=0, number=20)
    stale = (
        hung["stale"] + after["stale"] + back["stale"] + sum(each["got"] < each["expected"] for each in woken)
    )
    every = cold + hung["read_seconds"]
    slow = [each for each in every if each > SOFT / 2]
    rest = [each for each in every if each <= SOFT / 2]
    told = ", ".join(
        f"{each['seconds'] * 1000:.0f} ms {'refused' if 'error' in each else ''}" for each in commits
    )
    return [
        Figure(
            f"hang, {failure}: reads before (memory / database) p50",
            f"{_ms(warm, 0.5)} / {_ms(loading, 0.5)}",
        ),
        Figure(
            f"hang, {failure}: slow reads, the slowest",
            f"{len(slow)} of {len(every)}, {max(every) * 1000:.0f} ms",
            f"<= 3, {SOFT:g} s + 0.1 s",
            len(slow) <= 3 and max(every) <= SOFT + 0.1,
        ),
        Figure(f"hang, {failure}: the others p50 / p99", f"{_ms(rest, 0.5)} / {_ms(rest, 0.99)}"),
        Figure(f"hang, {failure}: two commits", told),
        Figure(f"hang, {failure}: stale reads", str(stale), "0", stale == 0),
        Figure(
            f"hang, {failure}: loads of 20 reads when it is back",
            str(back["loads"]),
            "<= 1",
            back["loads"] <= 1,
        ),
    ]


def cold_key(ground: Ground, *, callers: int = 50) -> list[Figure]:
    """Callers in four processes ask for a key that nobody has; and of some callers one goes away."""
    with ground.party("cold", rows=4, linger=0.0) as party:
        for worker in party.workers:
            worker.do("read", row=1)
            worker.do("linger", seconds=0.5, steady=True)
        before = _commands(ground.redis)
        answers = party.all("gather", row=0, callers=callers)
        used = (_commands(ground.redis) - before) / (callers * len(party.workers))
        cancelled = party.workers[0].do("gather", row=2, callers=20, cancelled=1)
    loads, answered = _sum(answers, "loads"), _sum(answers, "answered")
    return [
        Figure(f"cold key, 4 x {callers} callers: loads", str(loads), "1", loads == 1),
        Figure("cold key: answered", str(answered), str(4 * callers), answered == 4 * callers),
        Figure("cold key: commands of Redis for each caller", f"{used:.2f}", "<= 10", used <= 10),
        Figure(
            "one of 20 callers cancelled: loads, answered, cancelled",
            f"{cancelled['loads']}, {cancelled['answered']}, {cancelled['cancelled']}",
            "1, 19, 1",
            (cancelled["loads"], cancelled["answered"], cancelled["cancelled"]) == (1, 19, 1),
        ),
    ]


@contextmanager
def _frozen(party: Party) -> Iterator[None]:
    party.workers[-1].freeze()
    try:
        yield
    finally:
        party.workers[-1].thaw()


def _verify_all_up(party: Party) -> None:
    for worker in party.workers:
        said = worker.log.read_text(errors="replace")
        if "Traceback" in said:
            raise RuntimeError(f"a process of the race failed: {said[-3000:]}")


def _no_stale(name: str, answers: Sequence[dict[str, Any]]) -> Figure:
    stale = _sum(answers, "stale")
    examples = [example for each in answers for example in each["examples"]][:3]
    return Figure(f"{name}: stale reads", f"{stale} {examples if stale else ''}".strip(), "0", stale == 0)


def _sum(answers: Sequence[dict[str, Any]], what: str) -> int:
    return sum(each[what] for each in answers)


def _at(ordered: Sequence[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else 0.0


def _ms(seconds: Sequence[float], part: float) -> str:
    return f"{_at(sorted(seconds), part) * 1000:.2f} ms"


def _commands(redis: OwnRedis) -> int:
    """How many commands the server has executed, those in scripts counted."""
    text = redis.command("INFO", "stats")
    assert isinstance(text, bytes)
    return int(text.split(b"total_commands_processed:")[1].split()[0])
