"""Load runs: forms of a service or two servers under the same load, compared, with intervals, reported.

Imported piece by piece (PEP 562): the load generator is a process of its own, which needs next to
nothing of this room.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pitstop.bench.comparison import Change as Change
    from pitstop.bench.comparison import Comparison as Comparison
    from pitstop.bench.comparison import compare as compare
    from pitstop.bench.progress import Moment as Moment
    from pitstop.bench.progress import Progress as Progress
    from pitstop.bench.report import write_report as write_report
    from pitstop.bench.result import Result as Result
    from pitstop.bench.result import dump_result as dump_result
    from pitstop.bench.result import load_result as load_result
    from pitstop.bench.runner import run_bench as run_bench
    from pitstop.bench.subject import ServerPair as ServerPair
    from pitstop.bench.subject import Service as Service
    from pitstop.bench.table import render_table as render_table

_HOMES = {
    "Change": "comparison",
    "Comparison": "comparison",
    "Moment": "progress",
    "Progress": "progress",
    "Result": "result",
    "ServerPair": "subject",
    "Service": "subject",
    "compare": "comparison",
    "dump_result": "result",
    "load_result": "result",
    "render_table": "table",
    "run_bench": "runner",
    "write_report": "report",
}

__all__ = [
    "Change",
    "Comparison",
    "Moment",
    "Progress",
    "Result",
    "ServerPair",
    "Service",
    "compare",
    "dump_result",
    "load_result",
    "render_table",
    "run_bench",
    "write_report",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'pitstop.bench' has no attribute {name!r}")
    value = getattr(import_module(f"pitstop.bench.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
