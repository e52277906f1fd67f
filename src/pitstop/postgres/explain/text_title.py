"""The first line of a node in text form, taken apart into the properties that the JSON form gives."""

import re
from typing import Any

__all__ = ["read_title", "split_line"]

_FIGURES = re.compile(
    r"(?:\s+\(cost=(?P<startup_cost>[\d.]+)\.\.(?P<total_cost>[\d.]+)"
    r" rows=(?P<plan_rows>\d+) width=(?P<width>\d+)\))?"
    r"(?:\s+\((?:actual (?:time=(?P<startup>[\d.]+?)\.\.(?P<total>[\d.]+) )?"
    r"rows=(?P<rows>[\d.]+) loops=(?P<loops>\d+)|(?P<never>never executed))\))?\s*$"
)
_NAMES = {
    "startup_cost": "Startup Cost",
    "total_cost": "Total Cost",
    "plan_rows": "Plan Rows",
    "width": "Plan Width",
    "startup": "Actual Startup Time",
    "total": "Actual Total Time",
    "rows": "Actual Rows",
    "loops": "Actual Loops",
}
_NEVER = {"Actual Startup Time": 0.0, "Actual Total Time": 0.0, "Actual Rows": 0.0, "Actual Loops": 0}
_JOIN = re.compile(r"(?P<type>Nested Loop|Merge|Hash)(?: (?P<how>(?!Join$)[A-Z][A-Za-z ]*?))?(?: Join)?")
_AGGREGATES = {
    "Aggregate": "Plain",
    "GroupAggregate": "Sorted",
    "HashAggregate": "Hashed",
    "MixedAggregate": "Mixed",
}
_PARTS = re.compile(r"(?P<title>.+?)(?: using (?P<index>\"(?:[^\"]|\"\")+\"|\S+))?(?: on (?P<target>.+))?")
_TARGET = re.compile(
    r"(?:(?P<schema>\"(?:[^\"]|\"\")+\"|[^\s.\"]+)\.)?(?P<name>\"(?:[^\"]|\"\")+\"|\S+)"
    r"(?: (?P<alias>\"(?:[^\"]|\"\")+\"|\S+))?"
)
_KEYS = {
    "Function Scan": "Function Name",
    "Table Function Scan": "Table Function Name",
    "CTE Scan": "CTE Name",
    "WorkTable Scan": "CTE Name",
    "Named Tuplestore Scan": "Tuplestore Name",
    "Subquery Scan": "",
    "Values Scan": "",
}


def split_line(line: str) -> tuple[str, dict[str, Any]]:
    """The title of a node's line and its figures by their names in the JSON form; none if it has none."""
    match = _FIGURES.search(line)
    if match is None:  # the pattern may match nothing at the end, so this cannot be; for the type checker
        return line, {}
    told = {
        _NAMES[name]: _number(value) for name, value in match.groupdict().items() if value and name in _NAMES
    }
    return line[: match.start()].strip(), {**told, **(_NEVER if match["never"] else {})}


def read_title(title: str) -> dict[str, Any]:
    """The properties in a title such as ``Parallel Index Scan Backward using i on t a``."""
    found: dict[str, Any] = {}
    parts = _PARTS.fullmatch(title)
    kind = _strip_prefixes(parts["title"] if parts else title, found)
    target = parts["target"] if parts else None
    found |= _kind(kind)
    if parts and parts["index"]:
        found["Index Name"] = _unquoted(parts["index"])
    if target:
        found |= _read_target(target, found["Node Type"])
    return found


def _strip_prefixes(kind: str, found: dict[str, Any]) -> str:
    for word, name, value in (
        ("Async ", "Async Capable", True),
        ("Parallel ", "Parallel Aware", True),
        ("Partial ", "Partial Mode", "Partial"),
        ("Finalize ", "Partial Mode", "Finalize"),
    ):
        if kind.startswith(word):
            kind = kind.removeprefix(word)
            found[name] = value
    return kind


def _kind(kind: str) -> dict[str, Any]:
    join = _JOIN.fullmatch(kind)
    if join and (kind.endswith(" Join") or kind == "Nested Loop"):
        type_ = join["type"] if join["type"] == "Nested Loop" else f"{join['type']} Join"
        return {"Node Type": type_, "Join Type": join["how"] or "Inner"}
    if kind in _AGGREGATES:
        return {"Node Type": "Aggregate", "Strategy": _AGGREGATES[kind]}
    if kind.endswith(" Backward"):
        return {"Node Type": kind.removesuffix(" Backward"), "Scan Direction": "Backward"}
    if kind.startswith("Custom Scan (") and kind.endswith(")"):
        return {"Node Type": "Custom Scan", "Custom Plan Provider": kind[13:-1]}
    return _command(kind) or {"Node Type": kind}


def _command(kind: str) -> dict[str, Any]:
    """What is told by a command of SQL: ``Insert``, ``Foreign Update``, ``HashSetOp Except``."""
    first, _, rest = kind.partition(" ")
    if first in ("SetOp", "HashSetOp") and rest:
        strategy = "Hashed" if first == "HashSetOp" else "Sorted"
        return {"Node Type": "SetOp", "Strategy": strategy, "Command": rest}
    if kind in ("Insert", "Update", "Delete", "Merge"):
        return {"Node Type": "ModifyTable", "Operation": kind}
    if first == "Foreign" and rest in ("Insert", "Update", "Delete"):
        return {"Node Type": "Foreign Scan", "Operation": rest}
    return {}


def _read_target(target: str, node_type: str) -> dict[str, Any]:
    if node_type == "Bitmap Index Scan":
        return {"Index Name": _unquoted(target)}
    match = _TARGET.fullmatch(target)
    if match is None:
        return {"Alias": target}
    name = _unquoted(match["name"])
    key = _KEYS.get(node_type, "Relation Name")
    found = {"Alias": _unquoted(match["alias"]) if match["alias"] else name}
    if key:
        found[key] = name
    if match["schema"]:
        found["Schema"] = _unquoted(match["schema"])
    return found


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') and name.endswith('"') else name


def _number(text: str) -> int | float:
    return float(text) if "." in text else int(text)
