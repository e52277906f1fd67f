"""Advice for ``postgresql.conf``: from RAM, cores, disk, kind of load, and what the server counted."""

from pitstop.pool.tune.advice import Advice
from pitstop.pool.tune.applying import apply_tuning
from pitstop.pool.tune.machine import Disk, Load, Machine, parse_bytes, this_machine
from pitstop.pool.tune.memory import Memory
from pitstop.pool.tune.output import as_conf, as_json, as_sql
from pitstop.pool.tune.tuning import Tuning, tune

__all__ = [
    "Advice",
    "Disk",
    "Load",
    "Machine",
    "Memory",
    "Tuning",
    "apply_tuning",
    "as_conf",
    "as_json",
    "as_sql",
    "parse_bytes",
    "this_machine",
    "tune",
]
