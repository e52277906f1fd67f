"""The workload: statements with how often they run, from a file, the server or the local record."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pitstop.errors import SettingsError
from pitstop.postgres.fingerprint import TOKEN, fingerprint
from pitstop.postgres.statements import StatementStats
from pitstop.store import Observations, StatementTotals

__all__ = [
    "WorkloadStatement",
    "is_asked",
    "observed_statements",
    "planned_text",
    "read_workload",
    "workload_of_record",
    "workload_of_server",
]

_MOST_STATEMENTS = 200

_WEIGHT = re.compile(
    r"(?:--+|/\*)\s*weight\s*[:=]?\s*([0-9][0-9_,]*(?:\.[0-9]+)?(?:e[0-9]+)?)(?:\s.*|\*/)?", re.IGNORECASE
)
_PLANNED = ("select", "with", "insert", "update", "delete", "merge", "values", "table")
_LIMIT = re.compile(r"\b(limit|offset)\s+\$\d+", re.IGNORECASE)
_TYPED = re.compile(r"\b(interval|date|timestamptz?|time|timestamp with time zone)\s+(\$\d+)", re.IGNORECASE)
_CATALOG = re.compile(r"\b(?:pg_catalog|information_schema|pg_[a-z_]+)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class WorkloadStatement:
    """A statement.

    Attributes:
        text: SQL, its parameters written ``$1``.
        weight: how often it runs, against the others.
        rows: that one execution brings or changes, 1 where nobody knows.
    """

    text: str
    weight: float = 1.0
    rows: float = 1.0

    @property
    def verb(self) -> str:
        """Its first word, in lower case."""
        return fingerprint(self.text).verb


def read_workload(path: Path) -> list[WorkloadStatement]:
    """Read a file: SQL with one statement per ``;`` or JSON, a list of ``{"sql": ..., "weight": ...}``.

    A line ``-- weight: N`` before a statement says how often it runs.

    Raises:
        SettingsError: it cannot be read, or holds no statement.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"the workload {str(path)!r} cannot be read: {error}") from error
    found = _from_json(text, path) if path.suffix == ".json" else _from_sql(text)
    statements = [each for each in found if each.verb in _PLANNED]
    if not statements:
        raise SettingsError(f"the workload {str(path)!r} holds no statement: write SQL, each ended with ;")
    return statements


def workload_of_server(rows: Iterable[StatementStats]) -> list[WorkloadStatement]:
    """What ``pg_stat_statements`` counted, but for questions about the catalog."""
    return _merged(_weighted(row) for row in rows if is_asked(row))


def workload_of_record(observations: Observations) -> list[WorkloadStatement]:
    """What ``pitstop run`` or ``Pitstop(app)`` saw, its placeholders written as PostgreSQL does.

    What an N+1 repeats counts once a request: a loader is its cure, and beside it little else would count.
    """
    totals = sorted(observations.statements.values(), key=lambda each: (each.fingerprint, each.scope))
    repeated: Counter[tuple[object, ...]] = Counter()
    for loop in observations.n_plus_one.values():
        repeated[loop.scope_kind, loop.scope, loop.location] += loop.extra
    return _merged(
        _weighted(each, besides=repeated[each.scope_kind, each.scope, each.location])
        for each in totals
        if is_asked(each)
    )


def observed_statements(
    observations: Observations, rows: Iterable[StatementStats]
) -> tuple[list[WorkloadStatement], bool]:
    """The 200 statements that ran most: of the record, else what the server counted.

    Returns:
        the statements, and whether they are of the record.
    """
    recorded = workload_of_record(observations)
    return (recorded or workload_of_server(rows))[:_MOST_STATEMENTS], bool(recorded)


def planned_text(observed: StatementTotals | StatementStats) -> str:
    """The text under which an observed statement stands in the workload."""
    rows = max(observed.rows, 0) / observed.calls
    return _shown(numbered(observed.text) if isinstance(observed, StatementTotals) else observed.text, rows)


def is_asked(observed: StatementTotals | StatementStats) -> bool:
    """Whether a statement was executed, and is not a question about the catalog."""
    return bool(observed.calls) and not _CATALOG.search(observed.text)


def _weighted(observed: StatementTotals | StatementStats, *, besides: int = 0) -> WorkloadStatement:
    rows = max(observed.rows, 0) / observed.calls
    return WorkloadStatement(planned_text(observed), max(observed.calls - besides, 1), max(rows, 1.0))


def numbered(text: str) -> str:
    """A statement with the placeholders of any driver written ``$1``, ``$2`` ...; literals stay."""
    last = max((int(each) for each in re.findall(r"\$(\d+)", text)), default=0)
    numbers: dict[str, int] = {}
    parts: list[str] = []
    for match in TOKEN.finditer(text):
        word = match.group()
        if match.lastgroup == "value" and (word == "%s" or word.startswith(("%(", ":"))):
            key = f"%s{len(parts)}" if word == "%s" else word
            word = f"${numbers.setdefault(key, last + len(numbers) + 1)}"
        parts.append(word)
    if any(each.startswith("%") for each in numbers):  # then a percent sign was doubled for the driver
        parts = [each.replace("%%", "%") for each in parts]
    return "".join(parts)


def _merged(statements: Iterable[WorkloadStatement]) -> list[WorkloadStatement]:
    """Each text once, its weights added; most first."""
    found: dict[str, list[WorkloadStatement]] = {}
    for each in statements:
        if each.verb in _PLANNED:
            found.setdefault(each.text, []).append(each)
    merged = [
        WorkloadStatement(text, sum(each.weight for each in same), max(each.rows for each in same))
        for text, same in found.items()
    ]
    return sorted(merged, key=lambda each: (-each.weight, each.text))


def _shown(text: str, rows: float) -> str:
    """A statement as it can be planned.

    A limit that is a parameter is what the statement brought: the planner would guess a tenth of the rows.
    ``interval '1 day'`` was cut to ``interval $1``, which nobody can parse.
    """
    most = max(1, round(rows)) if rows else 10
    text = _TYPED.sub(r"\2::\1", text)
    return _LIMIT.sub(lambda found: f"{found[1]} {0 if found[1].lower() == 'offset' else most}", text)


def _from_json(text: str, path: Path) -> Iterator[WorkloadStatement]:
    try:
        document: Any = json.loads(text)
        entries = document["statements"] if isinstance(document, dict) else document
        for each in entries:
            entry = {"sql": each} if isinstance(each, str) else each
            words = entry.get("sql") or entry.get("text") or entry["query"]
            weight = float(entry.get("weight", entry.get("calls", 1)))
            yield WorkloadStatement(numbered(words.strip().rstrip(";")), weight)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SettingsError(
            f'the workload {str(path)!r} is not a JSON list of {{"sql": ..., "weight": ...}}: {error!r}'
        ) from error


def _from_sql(text: str) -> Iterator[WorkloadStatement]:
    weight, parts = 1.0, []
    for match in TOKEN.finditer(f"{text};"):
        word = match.group()
        if match.lastgroup == "skip":
            if found := _WEIGHT.fullmatch(word.strip()):
                weight = float(found[1].replace(",", ""))
            parts.append(" " if word.startswith(("--", "/*")) else word)
        elif word == ";":
            statement = "".join(parts).strip()
            if statement:
                yield WorkloadStatement(numbered(statement), weight)
            weight, parts = 1.0, []
        else:
            parts.append(word)
