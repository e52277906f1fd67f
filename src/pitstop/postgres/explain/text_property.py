"""A line below a node in text form, taken apart into the properties that the JSON form gives."""

import re
from collections.abc import Callable
from typing import Any

__all__ = ["read_property"]

Found = dict[str, Any]

_PAIR = re.compile(r"(?P<key>[A-Z][^:]*?): (?P<value>.*?)(?=  [A-Z][^:]*: |$)", re.DOTALL)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_SIZE = re.compile(r"(\d+) ?kB")
_WORDS = ("Cond", "Filter", "Key", "Output", "By", "Call", "SQL")
_HASH = re.compile(r"(\d+)(?: \(originally (\d+)\))?")
_BLOCKS = re.compile(r"(shared|local|temp)((?: (?:hit|read|dirtied|written)=\d+)+)")
_IO = re.compile(r"(?:(shared/local|shared|local|temp) )?((?:(?:read|write)=[\d.]+ ?)+)")
_EQUALS = re.compile(r"(\w[\w ]*?)=([\d.]+)(?: ?kB| ms)?")


def read_property(key: str, value: str, node_type: str) -> Found:
    """The properties in ``key: value``; most lines have one, some have more.

    Args:
        key, value: the line without its indentation.
        node_type: of the node it belongs to; some names mean another thing in another node.
    """
    reader = _READERS.get(key)
    if reader is not None:
        return reader(value, node_type)
    return {key: _plain(key, value)}


def _plain(key: str, value: str) -> Any:
    if key.endswith(_WORDS) and not key.startswith("Rows Removed"):
        return value
    if _NUMBER.fullmatch(value):
        return float(value) if "." in value else int(value)
    if value in ("true", "false"):
        return value == "true"
    size = _SIZE.fullmatch(value)
    return int(size[1]) if size else value


def _pairs(key: str, value: str) -> list[tuple[str, str]]:
    return [(match["key"], match["value"]) for match in _PAIR.finditer(f"{key}: {value}")]


def _sort_method(value: str, _node_type: str) -> Found:
    method, _, space = value.partition("  ")
    kind, _, size = space.partition(": ")
    used = {"Sort Space Used": _plain("", size), "Sort Space Type": kind} if size else {}
    return {"Sort Method": method, **used}


def _hash_table(value: str, _node_type: str) -> Found:
    found: Found = {}
    for name, text in _pairs("Buckets", value):
        match = _HASH.fullmatch(text)
        if name in ("Buckets", "Batches") and match:
            found[f"Hash {name}"] = int(match[1])
            found[f"Original Hash {name}"] = int(match[2] or match[1])
        elif name == "Memory Usage":
            found["Peak Memory Usage"] = _plain(name, text)
    return found


_GROUPED = {"Batches": "HashAgg Batches", "Memory Usage": "Peak Memory Usage"}
_CACHED = {"Memory Usage": "Peak Memory Usage"} | {
    name: f"Cache {name}" for name in ("Hits", "Misses", "Evictions", "Overflows")
}


def _named(first: str, names: dict[str, str]) -> Callable[[str, str], Found]:
    def read(value: str, _node_type: str) -> Found:
        return {names.get(name, name): _plain(name, text) for name, text in _pairs(first, value)}

    return read


def _heap_blocks(value: str, _node_type: str) -> Found:
    return {f"{name.capitalize()} Heap Blocks": int(count) for name, count in _EQUALS.findall(value)}


def _buffers(value: str, _node_type: str) -> Found:
    return {
        f"{where.capitalize()} {what.capitalize()} Blocks": int(count)
        for where, counts in _BLOCKS.findall(value)
        for what, count in _EQUALS.findall(counts)
    }


def _io_timings(value: str, _node_type: str) -> Found:
    found: Found = {}
    for where, times in _IO.findall(value):
        name = where.partition("/")[0].capitalize() or "Shared"
        for what, ms in _EQUALS.findall(times):
            found[f"{name} I/O {what.strip().capitalize()} Time"] = float(ms)
    return found


def _wal(value: str, _node_type: str) -> Found:
    names = {"fpi": "FPI", "buffers full": "Buffers Full"}
    return {
        f"WAL {names.get(name.strip(), name.strip().capitalize())}": int(count)
        for name, count in _EQUALS.findall(value)
    }


def _tuples(value: str, _node_type: str) -> Found:
    return {f"Tuples {name.strip().capitalize()}": int(count) for name, count in _EQUALS.findall(value)}


def _sampling(value: str, _node_type: str) -> Found:
    method, _, parameters = value.partition(" (")
    return {
        "Sampling Method": method,
        "Sampling Parameters": parameters.partition(") REPEATABLE")[0].removesuffix(")"),
    }


def _groups(key: str) -> Callable[[str, str], Found]:
    def read(value: str, _node_type: str) -> Found:
        count, _, rest = value.partition("  ")
        told: Found = {"Group Count": int(count)} if count.isdigit() else {}
        for name, text in _pairs(*rest.partition(": ")[::2]) if rest else ():
            what, _, where = name.partition(" ")
            if name.startswith("Sort Method"):
                told["Sort Methods Used"] = text
            elif what in ("Average", "Peak"):
                told.setdefault(f"Sort Space {where}", {})[f"{what} Sort Space Used"] = _plain(name, text)
        return {key: told}

    return read


def _settings(value: str, _node_type: str) -> Found:
    return {"Settings": dict(re.findall(r"([\w.]+) = '((?:[^']|'')*)'", value))}


_READERS: dict[str, Callable[[str, str], Found]] = {
    "Sort Method": _sort_method,
    "Buckets": _hash_table,
    "Planned Partitions": _named("Planned Partitions", _GROUPED),
    "Batches": _named("Batches", _GROUPED),
    "Hits": _named("Hits", _CACHED),
    "Storage": _named("Storage", {}),
    "Heap Blocks": _heap_blocks,
    "Buffers": _buffers,
    "I/O Timings": _io_timings,
    "WAL": _wal,
    "Tuples": _tuples,
    "Sampling": _sampling,
    "Full-sort Groups": _groups("Full-sort Groups"),
    "Pre-sorted Groups": _groups("Pre-sorted Groups"),
    "Settings": _settings,
}
