"""Caches side by side: one command, one table for each question (``--only``, ``--quick``)."""

import argparse
import platform
import time
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

__all__ = ["main"]

QUESTIONS = ("hits", "redis_hits", "many", "decode", "tags", "stampede", "memory", "million", "race", "hang")
PEERS = (
    "cashews",
    "aiocache",
    "fastapi-cache2",
    "dogpile.cache",
    "async-lru",
    "redis",
    "hiredis",
    "SQLAlchemy",
)


def main(arguments: Sequence[str] = ()) -> int:
    """Put the questions and print each answer as it comes."""
    from benchmarks.cache.stage import Scale
    from pitstop.servers import private_servers

    options = _options(arguments)
    print(_versions())
    with private_servers() as servers:
        scale = Scale(quick=options.quick, servers=servers)
        for question in options.only or QUESTIONS:
            began = time.perf_counter()
            for table in import_module(f"{__name__}.{question}").ask(scale):
                print(f"\n{table.text()}", flush=True)
            print(f"  [{question}: {time.perf_counter() - began:.0f} s]", flush=True)
    return 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks cache", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a look, in less than a minute")
    parser.add_argument("--only", nargs="+", choices=QUESTIONS, help="put these questions only")
    return parser.parse_args(arguments)


def _versions() -> str:
    found = []
    for name in PEERS:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} not installed")
    return f"Python {platform.python_version()}; {', '.join(found)}"
