"""Reading plans: time for each node beside reading their JSON alone, and how it grows with the size."""

import json
import statistics
import time
from collections.abc import Callable
from typing import Any

from pitstop import explain

NODES = (1_000, 10_000)
ROUNDS = 5
MOST_US = 200.0  # for each node, the limit
MOST_GROWTH = 25.0  # of the time for ten times the nodes; a hundred would be quadratic


def wide(count: int) -> dict[str, Any]:
    """Many partitions below one Append."""
    scan = {"Node Type": "Seq Scan", "Filter": "(a = 5)", "Actual Total Time": 1.0, "Actual Rows": 1}
    scans = [{**scan, "Relation Name": f"t{n}", "Alias": f"t{n}", "Actual Loops": 1} for n in range(count)]
    root = {"Node Type": "Append", "Actual Total Time": float(count), "Actual Rows": 1, "Actual Loops": 1}
    return {"Plan": {**root, "Plans": scans}}


def text(count: int) -> str:
    """The same in text form."""
    figures = "(cost=0.00..1.00 rows=1 width=4) (actual time=0.500..1.000 rows=1.00 loops=1)"
    scans = (f"  ->  Seq Scan on t{n}  {figures}\n        Filter: (a = 5)\n" for n in range(count))
    return f"Append  {figures}\n" + "".join(scans)


def deep(count: int) -> dict[str, Any]:
    """One below the other."""
    root: dict[str, Any] = {"Node Type": "Seq Scan", "Actual Total Time": 1.0, "Actual Loops": 1}
    for depth in range(count):
        root = {"Node Type": "Limit", "Actual Total Time": 2.0 + depth, "Actual Loops": 1, "Plans": [root]}
    return {"Plan": root}


def main() -> None:
    """Print a line for each way; the ways take turns."""
    forms: dict[str, Callable[[int], Callable[[], object]]] = {
        "json.loads alone": lambda count: _calling(json.loads, json.dumps([wide(count)])),
        "FORMAT JSON": lambda count: _calling(explain.parse, json.dumps([wide(count)])),
        "objects, deep": lambda count: _calling(explain.parse, deep(count)),
        "text form": lambda count: _calling(explain.parse, text(count)),
        "FORMAT JSON, judged": lambda count: _calling(_judge, json.dumps([wide(count)])),
    }
    calls = {(name, count): make(count) for name, make in forms.items() for count in NODES}
    took: dict[tuple[str, int], list[float]] = {key: [] for key in calls}
    for _ in range(ROUNDS):
        for key, call in calls.items():
            started = time.perf_counter()
            call()
            took[key].append(time.perf_counter() - started)
    print(f"{'':24}{'us a node':>12}{'limit':>8}{'growth x10':>12}{'limit':>8}")
    for name in forms:
        few, many = (statistics.median(took[name, count]) for count in NODES)
        each = many / NODES[1] * 1e6
        print(f"{name:24}{each:>12.1f}{MOST_US:>8.0f}{many / few:>12.1f}{MOST_GROWTH:>8.0f}")


def _judge(source: str) -> object:
    return explain.parse(source).findings()


def _calling(function: Callable[[Any], object], source: object) -> Callable[[], object]:
    return lambda: function(source)
