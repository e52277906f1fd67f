"""A statement in one short line for a person: cut in its middle, or with its values taken out."""

import re

from pitstop.postgres.fingerprint import TOKEN

__all__ = ["abbreviate", "redact"]

_MAX_CHARS = 100_000
_HEAD_CHARS = 40
_FROM = re.compile(r"(?<=\s)FROM\s", re.IGNORECASE)
_PLACE = re.compile(r"\$\d|%|:|\?")
_PLACEHOLDER = r"(?:\$\d+|%\(\w+\)s|%s|\?|:\w+)"
_VALUE = re.compile(_PLACEHOLDER)
_LIST = re.compile(rf"\(({_PLACEHOLDER})(?:, {_PLACEHOLDER}){{2,}}\)")


def abbreviate(text: str, *, max_chars: int) -> str:
    """A statement in one line of at most ``max_chars``; a long list of columns goes first.

    Args:
        text: SQL.
        max_chars: length of the result, at the most; 80 or more reads well.
    """
    line = " ".join(text.split())
    if len(line) <= max_chars:
        return line
    found = _FROM.search(line)
    if found is not None and found.start() > _HEAD_CHARS:
        line = f"{line[:_HEAD_CHARS].rsplit(' ', 1)[0]} ... {line[found.start() :]}"
    return line if len(line) <= max_chars else f"{line[: max_chars - 4].rstrip()} ..."


def redact(text: str) -> str:
    """A statement with ``?`` for each value that stands in it, without comments; placeholders are kept,
    their casts are not.

    What follows a quote or a comment that is never closed is left out. A name in double quotes is taken for
    a name, as PostgreSQL does.

    Args:
        text: SQL with any style of placeholder.
    """
    parts: list[str] = []
    for match in TOKEN.finditer(text[:_MAX_CHARS]):
        kind, word = match.lastgroup, match.group()
        if kind == "skip":
            parts.append(" ")
        elif kind == "cast" and parts and _VALUE.fullmatch(parts[-1]):
            continue  # drivers put one behind every placeholder
        elif kind in ("value", "tag") and not _PLACE.match(word):
            parts.append("?")
        elif kind == "other" and (word in ("'", "$") or text.startswith("/*", match.start())):
            parts.append("?")
            break
        else:
            parts.append(word)
    return _LIST.sub(r"(\1, ...)", " ".join("".join(parts).split()))
