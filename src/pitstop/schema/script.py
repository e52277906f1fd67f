"""Reading changes out of SQL, of the advisor's JSON and of doctor's; what is not safe is refused."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from pitstop.errors import ChangeRefused
from pitstop.postgres.fingerprint import TOKEN
from pitstop.schema.change import (
    Analyze,
    AttachIndex,
    Change,
    CreateExtension,
    CreateIndex,
    DropIndex,
    ReindexIndex,
)
from pitstop.schema.name import MAX_BYTES, NAME, Name, unquoted
from pitstop.schema.table_change import parse_table_change

__all__ = ["REVERT", "Written", "parse_change", "read_script"]

REVERT = "-- revert: "
"""Begins the remark behind a statement that says how to take it back."""

_MOST_CHARS = 80
_QUALIFIED = rf"(?:(?P<{{0}}schema>{NAME})\s*\.\s*)?(?P<{{0}}name>{NAME})"
_TABLE, _OTHER = _QUALIFIED.format(""), _QUALIFIED.format("other_")
_FORMS = {
    "create_index": rf"CREATE\s+(?P<unique>UNIQUE\s+)?INDEX\s+(?:CONCURRENTLY\s+)?(?:IF\s+NOT\s+EXISTS\s+)?"
    rf"(?:(?!ON\s)(?P<index>{NAME})\s+)?ON\s+(?P<only>ONLY\s+)?{_TABLE}\s*(?P<rest>(?:USING\b|\().*)",
    "drop_index": rf"DROP\s+INDEX\s+(?:CONCURRENTLY\s+)?(?:IF\s+EXISTS\s+)?{_TABLE}(?:\s+RESTRICT)?",
    "reindex": rf"REINDEX\s+(?:\(\s*CONCURRENTLY\s*\)\s*)?INDEX\s+(?:CONCURRENTLY\s+)?{_TABLE}",
    "attach_index": rf"ALTER\s+INDEX\s+{_TABLE}\s+ATTACH\s+PARTITION\s+{_OTHER}",
    "create_extension": rf"CREATE\s+EXTENSION\s+(?:IF\s+NOT\s+EXISTS\s+)?(?P<name>{NAME})"
    rf"(?:\s+(?:WITH\s+)?SCHEMA\s+(?P<schema>{NAME}))?",
    "analyze": rf"ANALYZE\s+{_TABLE}",
}
_PATTERNS = {kind: re.compile(form, re.IGNORECASE | re.DOTALL) for kind, form in _FORMS.items()}


_ADDS = r"ALTER\s+TABLE\b.*\bADD\s+"
_REASONS = {  # the first that fits is told
    _ADDS + r"(?:CONSTRAINT\s+\S+\s+)?(?:FOREIGN|CHECK)\b": "it keeps writers waiting, of both tables "
    "where it is a foreign key, and all who queue behind them",
    _ADDS
    + r"(?:CONSTRAINT|PRIMARY|UNIQUE|EXCLUDE)\b": "it builds an index while nobody may write: make that "
    "first, by CREATE UNIQUE INDEX",
    r"ALTER\s+TABLE\b": "it takes a lock that keeps readers waiting, too, and may write the table anew",
    r"(?:VACUUM\s*(?:\([^)]*\bFULL\b|FULL\b)|CLUSTER\b)": "it writes the table anew, and nobody may read "
    "it meanwhile",
}


@dataclass(frozen=True, slots=True)
class Written:
    """A change as it was written, with what takes it back where that was written too."""

    change: Change
    revert: Change | None = None


def parse_change(statement: str) -> Change:
    """Read one statement.

    Args:
        statement: without a semicolon; remarks are passed over.

    Raises:
        ChangeRefused: it is none of the changes that can be made safely on a live database.
    """
    text = "".join(
        " " if match.lastgroup == "skip" else match[0] for match in TOKEN.finditer(statement)
    ).strip()
    for kind, pattern in _PATTERNS.items():
        match = pattern.fullmatch(text)
        if match is not None:
            return _made(kind, match.groupdict())
    change = parse_table_change(text)
    if change is None:
        raise ChangeRefused(f"cannot carry out {_short(text)!r} on a live database: {_why_not(text)}")
    return change


def read_script(text: str) -> list[Written]:
    """Read all changes of a file.

    Args:
        text: SQL (a plan is SQL), or what ``pitstop indexes --json`` or ``pitstop doctor --json`` prints.

    Raises:
        ChangeRefused: something in it is none of the changes that can be made safely on a live database.
    """
    if text.lstrip().startswith("{"):
        return [Written(each) for each in dict.fromkeys(_advised(text))]
    return [
        Written(parse_change(statement), parse_change(revert) if revert else None)
        for statement, revert in _statements(text)
    ]


def _made(kind: str, found: dict[str, Any]) -> Change:
    parts = {key: unquoted(value) if value else None for key, value in found.items() if key != "rest"}
    for each in filter(None, (parts.get("index"), parts.get("name"))):
        _verify_length(each)
    name = Name(parts["name"] or "", parts.get("schema"))
    match kind:
        case "create_index":
            rest = found["rest"].strip()
            return CreateIndex(
                name, rest, parts["index"], unique=bool(parts["unique"]), only=bool(parts["only"])
            )
        case "drop_index":
            return DropIndex(name)
        case "reindex":
            return ReindexIndex(name)
        case "attach_index":
            return AttachIndex(name, Name(parts["other_name"] or "", parts["other_schema"]))
        case "create_extension":
            return CreateExtension(name.name, name.schema)
        case _:
            return Analyze(name)


def _why_not(text: str) -> str:
    for begin, reason in _REASONS.items():
        if re.match(begin, text, re.IGNORECASE | re.DOTALL):
            return f"{reason}; write a migration for it"
    return (
        "only CREATE INDEX, DROP INDEX and REINDEX INDEX of one index, ALTER INDEX ... ATTACH PARTITION, "
        "CREATE EXTENSION, CREATE STATISTICS and ANALYZE of one table, and ALTER TABLE ... SET (...), ALTER "
        "COLUMN ... SET STATISTICS and VALIDATE CONSTRAINT can be; write a migration for it"
    )


def _verify_length(name: str) -> None:
    size = len(name.encode())
    if size > MAX_BYTES:
        raise ChangeRefused(
            f"the name {name!r} is {size} bytes long and PostgreSQL keeps {MAX_BYTES}: give a shorter one"
        )


def _statements(text: str) -> Iterator[tuple[str, str]]:
    """Each statement, and the remark behind it that takes it back."""
    found: list[tuple[str, list[str]]] = []
    begin = 0
    for match in TOKEN.finditer(f"{text};"):
        if match["other"] == ";":
            if _says(text[begin : match.start()]):
                found.append((text[begin : match.start()], []))
            begin = match.end()
        elif match["skip"] and match[0].startswith(REVERT) and found:
            found[-1][1].append(match[0].removeprefix(REVERT).strip())
    return ((statement, "\n".join(revert).rstrip(";")) for statement, revert in found)


def _says(text: str) -> bool:
    return any(not match["skip"] for match in TOKEN.finditer(text))


def _advised(text: str) -> Iterator[Change]:
    """The changes of the advisor's JSON, what each needs before it; of a report, what is safe."""
    try:
        document = json.loads(text)
        yield from _made_by(document)
        for report in document.get("report", ()):
            yield from _reported(report)
        for finding in document.get("findings", ()):
            yield from _made_by(finding)
            if "ddl" in finding:
                yield parse_change(finding["ddl"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ChangeRefused(
            f"this JSON holds no changes: make it with `pitstop indexes --json` ({error!r})"
        ) from error


def _reported(report: dict[str, Any]) -> Iterator[Change]:
    """What is safe; and leftovers, of which the plan sees whether somebody is still building them."""
    leftover = report.get("kind") == "invalid"
    if report["safe"] or leftover:
        change = parse_change(report["cure"])
        yield replace(change, leftover=leftover) if isinstance(change, DropIndex) else change


def _made_by(document: dict[str, Any]) -> Iterator[Change]:
    for index in document.get("indexes", ()):
        yield from map(parse_change, index.get("prerequisites", ()))
        yield parse_change(index["ddl"])


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MOST_CHARS else f"{line[:_MOST_CHARS]}..."
