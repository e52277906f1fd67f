"""Plans in a server's log, as ``auto_explain`` writes them: to stderr, to syslog, as CSV or as JSON."""

import json
import re
from typing import Any

__all__ = ["split_log"]

_BEGIN = re.compile(r"duration: (?P<ms>[\d.]+) ms +plan:[ \t]*")
_ENTRY = re.compile(
    r"(?:DEBUG\d?|LOG|INFO|NOTICE|WARNING|ERROR|FATAL|PANIC|STATEMENT|DETAIL|HINT|CONTEXT|LOCATION):  "
)
_SYSLOG = re.compile(r".*?\[\d+-\d+\] ?")


def split_log(text: str) -> list[tuple[dict[str, Any], str]] | None:
    """Each logged plan with what the log says of it; None where the text is not out of a log.

    Args:
        text: lines of a log, whole or cut to one entry.
    """
    if not _BEGIN.search(text):
        return None
    messages = _json_messages(text)
    return [part for message in messages or [text] for part in _split(message)]


def _json_messages(text: str) -> list[str] | None:
    """The messages of a log in JSON lines, or None."""
    messages: list[str] = []
    for line in text.splitlines():
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            return None
        if not isinstance(entry, dict):
            return None
        messages += _texts(entry)
    return messages


def _texts(entry: dict[str, Any]) -> list[str]:
    """What is a plan in an entry, whatever the collector of logs calls it: message, textPayload, log."""
    found: list[str] = []
    for value in entry.values():
        if isinstance(value, dict):
            found += _texts(value)
        elif isinstance(value, str) and _BEGIN.search(value):
            found.append(value)
    return found


def _split(text: str) -> list[tuple[dict[str, Any], str]]:
    begins = list(_BEGIN.finditer(text))
    ends = [begin.start() for begin in begins[1:]] + [len(text)]
    return [
        ({"Duration": float(begin["ms"])}, _entry(text, begin, end))
        for begin, end in zip(begins, ends, strict=True)
    ]


def _entry(text: str, begin: "re.Match[str]", end: int) -> str:
    rest = text[begin.end() : end]
    if text[: begin.start()].endswith('"'):  # CSV: a quoted field, quotes within doubled
        field = re.match(r"(?:[^\"]|\"\")*", rest)
        return field[0].replace('""', '"') if field else rest
    lines = rest.strip("\n").split("\n")
    if any("#011" in line for line in lines):
        lines = [_SYSLOG.sub("", line, count=1) for line in lines]
    if lines and lines[0].startswith(("\t", "#011")):
        return "\n".join(_own_lines(lines))
    return "\n".join(line for line in lines if not _ENTRY.search(line))


def _own_lines(lines: list[str]) -> list[str]:
    """The first lines, which a log indents by a tab; the entry ends where one is not."""
    own: list[str] = []
    for line in lines:
        if not line.startswith(("\t", "#011")):
            break
        own.append(line.removeprefix("#011").removeprefix("\t").replace("#011", "\t"))
    return own
