"""Names in PostgreSQL: how they are written, read, and made when nobody gave one."""

import re
import zlib
from dataclasses import dataclass

from sqlalchemy.dialects.postgresql.base import PGDialect

__all__ = ["MAX_BYTES", "NAME", "Name", "child_name", "index_name", "is_copy_name", "quoted", "unquoted"]

MAX_BYTES = 63
"""PostgreSQL cuts longer names off, without an error."""

NAME = r'(?:"(?:[^"]|"")+"|[^\W\d][\w$]*)'
"""A name as it stands in SQL, for patterns."""

_IDENTIFIERS = PGDialect().identifier_preparer  # type: ignore[no-untyped-call] # knows reserved words
_COPY = re.compile(r"cc(?:new|old)\d*")
_PLAIN_KEYS = re.compile(rf"\s*(?:USING\s+btree\s*)?\((\s*{NAME}(?:\s*,\s*{NAME})*\s*)\)\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Name:
    """A name, with its schema where one is given. ``str()`` of it is SQL."""

    name: str
    schema: str | None = None

    def __str__(self) -> str:
        return ".".join(quoted(each) for each in (self.schema, self.name) if each is not None)


def quoted(name: str) -> str:
    """A name as SQL wants it: in quotes where it needs them."""
    return _IDENTIFIERS.quote(name)


def unquoted(written: str) -> str:
    """What PostgreSQL understands under a name as it is written."""
    if written.startswith('"'):
        return written[1:-1].replace('""', '"')
    return written.lower()


def index_name(table: str, rest: str) -> str:
    """A name for an index that was given none, always the same for the same definition.

    Args:
        table: its plain name.
        rest: what follows the table: ``"USING gin (tags) WHERE active"``.
    """
    plain = _PLAIN_KEYS.fullmatch(rest)
    words = re.findall(NAME, plain[1] if plain else rest.partition("(")[2])
    readable = "_".join(["ix", table, *(unquoted(each) for each in words)])
    return _fitted(readable if plain else f"{_cut(readable, 40)}_{_mark(rest)}")


def child_name(index: str, partition: str) -> str:
    """A name for the part of a partitioned table's index that is on one partition."""
    return _fitted(f"{index}_{partition}")


def is_copy_name(name: str, index: str) -> bool:
    """Whether PostgreSQL gives this name to a copy of an index that it rebuilds beside writers.

    Args:
        name: in question.
        index: that is rebuilt.
    """
    stem, _, mark = name.rpartition("_")
    room = MAX_BYTES - len(mark) - 1
    return bool(_COPY.fullmatch(mark)) and stem == index.encode()[:room].decode(errors="ignore")


def _fitted(name: str) -> str:
    return name if len(name.encode()) <= MAX_BYTES else f"{_cut(name, MAX_BYTES - 9)}_{_mark(name)}"


def _cut(name: str, most: int) -> str:
    return name.encode()[:most].decode(errors="ignore").rstrip("_")


def _mark(text: str) -> str:
    return f"{zlib.crc32(' '.join(text.split()).encode()):08x}"
