"""The lines after the nodes of a plan in text form: times, triggers, JIT, settings."""

import re
from typing import Any

from pitstop.postgres.explain.text_property import read_property

__all__ = ["read_summary"]

_LINE = re.compile(r"(?P<key>[A-Z][^:]*?):(?: +(?P<value>.*))?")
_MS = re.compile(r"([\d.]+) ms")
_TRIGGER = re.compile(
    r"Trigger(?: (?P<name>(?!for constraint )(?:\"[^\"]+\"|[^\s:]+)))?"
    r"(?: for constraint (?P<constraint>\"[^\"]+\"|[^\s:]+))?"
    r"(?: on (?P<relation>[^\s:]+))?: +(?:time=(?P<time>[\d.]+) )?calls=(?P<calls>\d+)"
)
_TIMING = re.compile(r"(\w+) ([\d.]+) ms(?: \(Deform ([\d.]+) ms\))?")
_OPTION = re.compile(r"(\w+) (true|false)")
_SERIALIZATION = re.compile(r"(?:time=([\d.]+) ms +)?output=(\d+)kB +format=(\w+)")
_TIMES = {
    "planning time": "Planning Time",
    "execution time": "Execution Time",
    "total runtime": "Execution Time",
}


def read_summary(document: dict[str, Any], section: str, text: str) -> None:
    """Add what a line tells to the document.

    Args:
        document: as ``FORMAT JSON`` gives it.
        section: the last line that stood at the margin: ``Planning:``, ``JIT:`` or the line itself.
        text: the line without its indentation.
    """
    trigger = _TRIGGER.fullmatch(text)
    if trigger:
        document.setdefault("Triggers", []).append(_trigger(trigger))
        return
    match = _LINE.fullmatch(text)
    if match is None:
        return
    key, value = match["key"], match["value"] or ""
    if text != section:
        _read_in(document, section.partition(":")[0], key, value)
    elif key.lower() in _TIMES:
        found = _MS.match(value)
        document |= {_TIMES[key.lower()]: float(found[1])} if found else {}
    elif key == "Serialization":
        document["Serialization"] = _serialization(value)
    elif value:
        document |= read_property(key, value, "")


def _read_in(document: dict[str, Any], section: str, key: str, value: str) -> None:
    if section == "JIT":
        document.setdefault("JIT", {}).update(_jit(key, value))
    elif section in ("Planning", "Serialization"):
        told = _memory(value) if key == "Memory" else read_property(key, value, "")
        document.setdefault(section, {}).update(told)


def _trigger(match: "re.Match[str]") -> dict[str, Any]:
    names = {"Trigger Name": "name", "Constraint Name": "constraint", "Relation": "relation"}
    found: dict[str, Any] = {key: match[name].strip('"') for key, name in names.items() if match[name]}
    return {**found, "Time": float(match["time"] or 0), "Calls": int(match["calls"])}


def _jit(key: str, value: str) -> dict[str, Any]:
    if key == "Options":
        return {key: {name: on == "true" for name, on in _OPTION.findall(value)}}
    if key == "Timing":
        timing: dict[str, Any] = {name: float(ms) for name, ms, _ in _TIMING.findall(value)}
        return {key: timing}
    return {key: int(value) if value.isdigit() else value}


def _memory(value: str) -> dict[str, Any]:
    sizes = dict(re.findall(r"(used|allocated)=(\d+)kB", value))
    return {f"Memory {name.capitalize()}": int(size) for name, size in sizes.items()}


def _serialization(value: str) -> dict[str, Any]:
    match = _SERIALIZATION.match(value)
    if match is None:
        return {}
    return {"Time": float(match[1] or 0), "Output Volume": int(match[2]), "Format": match[3]}
