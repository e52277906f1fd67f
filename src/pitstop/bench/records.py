"""The raw records of one counted window, and the compact file in which the generator hands them over."""

import json
import os
from array import array
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

__all__ = ["OTHER_ENDPOINTS", "Mode", "Records", "read_records", "write_records"]

Mode = Literal["throughput", "latency"]

MESSAGE_CHARS = 300
MESSAGES = 50
ENDPOINTS = 100  # a locustfile that names no request has as many as there are ids
_OTHER = "other errors"
OTHER_ENDPOINTS = "other requests"


@dataclass(slots=True)
class Records:
    """Every request of one counted window, as columns.

    Attributes:
        started: seconds from the window's begin to the request's start.
        ms: from sending to the last byte of the answer.
        endpoint: index into ``endpoints``.
        outcome: index into ``outcomes``; 0 is success.
        endpoints: request names, e.g. ``"GET /posts"``; from the hundredth on ``"other requests"``.
        outcomes: ``""`` and then error messages in the order they first appeared.
        users: simulated users that were at work.
        window_s: seconds during which requests were started.
        stuck: users whose task had not ended when the patience for it had.
        generator_cpu: share of one core that the load generator used in the window.
    """

    started: "array[float]" = field(default_factory=lambda: array("d"))
    ms: "array[float]" = field(default_factory=lambda: array("d"))
    endpoint: "array[int]" = field(default_factory=lambda: array("H"))
    outcome: "array[int]" = field(default_factory=lambda: array("H"))
    endpoints: list[str] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=lambda: [""])
    users: int = 0
    window_s: float = 0.0
    stuck: int = 0
    generator_cpu: float = 0.0

    def __len__(self) -> int:
        return len(self.ms)

    def add(self, name: str, *, started: float, ms: float, error: str = "") -> None:
        """Append one request; an empty error is success."""
        self.started.append(started)
        self.ms.append(ms)
        self.endpoint.append(_index(self.endpoints, name, most=ENDPOINTS, else_=OTHER_ENDPOINTS))
        message = error[:MESSAGE_CHARS]
        self.outcome.append(_index(self.outcomes, message, most=MESSAGES, else_=_OTHER) if error else 0)


def _index(names: list[str], name: str, *, most: int, else_: str) -> int:
    """Where a name is in a short list; a new one is appended, one too many is the ``else_``."""
    if name not in names:
        name = name if len(names) < most else else_
        if name not in names:
            names.append(name)
    return names.index(name)


def write_records(path: Path, records: Records) -> None:
    """Write the file whole or not at all: one line of JSON, then the four columns."""
    head = {
        "count": len(records),
        "endpoints": records.endpoints,
        "outcomes": records.outcomes,
        "users": records.users,
        "window_s": records.window_s,
        "stuck": records.stuck,
        "generator_cpu": records.generator_cpu,
    }
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        file.write(json.dumps(head).encode() + b"\n")
        for column in (records.started, records.ms, records.endpoint, records.outcome):
            file.write(column.tobytes())
    os.replace(partial, path)


def read_records(path: Path) -> Records:
    """Read what ``write_records`` wrote on this machine."""
    with path.open("rb") as file:
        head = json.loads(file.readline())
        count = head.pop("count")
        records = Records(**head)
        for column in (records.started, records.ms, records.endpoint, records.outcome):
            column.frombytes(file.read(count * column.itemsize))
    return records
