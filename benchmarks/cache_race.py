"""The cache's promise, raced against real servers: stale reads, kills, freezes, cuts, and what it costs.

``python -m benchmarks cache_race [--quick] [--only BAR ...]``; the full form takes about half an hour.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pitstop.servers import private_servers
from tests.cache.race import bars
from tests.cache.race.bars import TROUBLES, Figure, Ground
from tests.cache.server import OwnRedis

Bar = Callable[[Ground], list[Figure]]


def _bars(*, quick: bool) -> dict[str, Bar]:
    seconds = 6.0 if quick else 30.0
    found: dict[str, Bar] = {
        "strict": lambda ground: bars.strict(
            ground, rounds=2_000 if quick else 100_000, seconds=20.0 if quick else 1800.0
        ),
        "bounded": lambda ground: bars.bounded(ground, seconds=seconds),
        "killed": lambda ground: bars.killed(ground, writers=20 if quick else 1000, bypass=not quick),
        "latency": lambda ground: bars.write_latency(ground, commits=50 if quick else 500),
        "hang-refuse": lambda ground: bars.hang(ground, failure="refuse"),
        "hang-outbox": lambda ground: bars.hang(ground, failure="outbox"),
        "cold": bars.cold_key,
    }
    for what in TROUBLES:
        for order in ("race", "store"):
            found[f"{what}-{order}".replace(" ", "-")] = _trouble(what, seconds, order, "refuse")
    for what in ("hung", "hung shortly", "restarted"):
        found[f"{what}-outbox".replace(" ", "-")] = _trouble(what, seconds, "race", "outbox")
    return found


def _trouble(what: str, seconds: float, order: str, failure: str) -> Bar:
    return lambda ground: bars.troubled(ground, what, seconds=seconds, order=order, failure=failure)


def _run(name: str, bar: Bar, database_url: str) -> bool:
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        redis = OwnRedis(Path(directory) / "redis").start()
        try:
            figures = bar(Ground(Path(directory) / "ground", database_url, redis))
        finally:
            redis.stop()
    for each in figures:
        verdict = "" if not each.bar else "ok" if each.holds else "MISSED"
        print(f"{each.name:<58} {each.value:<34} {each.bar:<18} {verdict}")
    print(f"  ({name}: {time.monotonic() - began:.0f} s)", flush=True)
    return all(each.holds for each in figures)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks cache_race")
    parser.add_argument("--quick", action="store_true", help="some seconds for each bar")
    parser.add_argument("--only", nargs="+", metavar="BAR", help="these bars alone")
    options = parser.parse_args(arguments)
    found = _bars(quick=options.quick)
    names = options.only or list(found)
    unknown = [name for name in names if name not in found]
    if unknown:
        print(f"no bar named {', '.join(unknown)}; there are: {', '.join(found)}", file=sys.stderr)
        return 2
    with private_servers(redis=False) as servers:
        held = [_run(name, found[name], servers.database_url) for name in names]
    return 0 if all(held) else 1
