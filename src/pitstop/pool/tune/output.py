"""Advice as SQL, as a piece of ``postgresql.conf``, and as JSON."""

from typing import Any

from pitstop.pool.tune.advice import Advice
from pitstop.pool.tune.memory import Memory
from pitstop.pool.tune.tuning import Tuning

__all__ = ["as_conf", "as_json", "as_sql", "statement"]

_LISTS = frozenset(("shared_preload_libraries",))


def as_sql(tuning: Tuning) -> str:
    """``ALTER SYSTEM`` for each setting, reasons as comments, and what is to be done then."""
    lines = [line for each in tuning.advice for line in (_comment("--", each), f"{statement(each)};")]
    if not lines:
        return "-- nothing to change\n"
    lines.append("SELECT pg_reload_conf();")
    waiting = _restarts(tuning)
    return "\n".join([*lines, *([f"-- restart the server for: {waiting}"] if waiting else []), ""])


def as_conf(tuning: Tuning) -> str:
    """A file for ``include_dir`` or the end of ``postgresql.conf``."""
    lines = [
        line
        for each in tuning.advice
        for line in (_comment("#", each), f"{each.name} = {_literal(each.value)}")
    ]
    waiting = _restarts(tuning)
    return "\n".join([*lines, *([f"# restart the server for: {waiting}"] if waiting else []), ""])


def as_json(tuning: Tuning) -> dict[str, Any]:
    """Everything, for programs."""
    return {
        "version": 1,
        "machine": {
            "ram_bytes": tuning.machine.ram_bytes,
            "cores": tuning.machine.cores,
            "disk": tuning.machine.disk,
            "load": tuning.machine.load,
        },
        "settings": [
            {
                "name": each.name,
                "value": each.value,
                "current": each.current,
                "restart": each.restart,
                "reason": each.reason,
                "source": each.source,
            }
            for each in tuning.advice
        ],
        "memory": _memory(tuning.memory),
        "current_memory": _memory(tuning.current_memory) if tuning.current_memory else None,
        "notes": list(tuning.notes),
    }


def statement(advice: Advice) -> str:
    """The ``ALTER SYSTEM`` of one setting."""
    values = advice.value.split(",") if advice.name in _LISTS else [advice.value]
    return f"ALTER SYSTEM SET {advice.name} = {', '.join(map(_literal, values))}"


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _comment(mark: str, advice: Advice) -> str:
    now = f" (now {advice.current})" if advice.current is not None else ""
    return f"{mark} {advice.reason}{now}"


def _restarts(tuning: Tuning) -> str:
    return ", ".join(each.name for each in tuning.advice if each.restart)


def _memory(memory: Memory) -> dict[str, Any]:
    return {
        "worst_bytes": memory.worst_bytes,
        "shared_buffers_bytes": memory.shared_buffers,
        "statements_bytes": memory.statement_bytes,
        "connections": memory.connections,
        "work_mem_bytes": memory.work_mem,
        "nodes": memory.nodes,
    }
