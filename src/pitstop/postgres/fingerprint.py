"""Fingerprints: one short name for all executions of a statement that differ only in their values."""

import hashlib
import re
import threading
from dataclasses import dataclass

__all__ = ["TOKEN", "Fingerprint", "fingerprint"]

_CACHE_ITEMS = 4096
_MAX_CHARS = 100_000
_READS = ("select", "with", "values", "table")

TOKEN = re.compile(
    r"""
    (?P<skip>\s+|--[^\n]*|/\*.*?\*/)
  | (?P<value>
        [eE]'(?:[^'\\]|''|\\.)*'                 # escape string
      | [bBxXnN]?'(?:[^']|'')*'                  # plain string
      | (?P<tag>\$(?:[A-Za-z_]\w*)?\$).*?(?P=tag)  # dollar quoted
      | \$\d+ | %\(\w+\)s | %s                   # asyncpg, psycopg
      | (?<![\w:]):[A-Za-z_]\w*                  # named
      | \?
      | (?<![\w."])(?:0[xXoObB][\da-fA-F_]+|(?:\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)(?:[eE][+-]?\d+)?)
    )
  | (?P<cast>::\s*[A-Za-z_][\w.]*(?:\s*\(\s*\d+(?:\s*,\s*\d+)*\s*\))?(?:\[\])*)
  | (?P<quoted>"(?:[^"]|"")*")
  | (?P<word>[A-Za-z_][\w$]*)
  | (?P<other><=|>=|<>|!=|\|\||->>|->|@>|<@|@@|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_WRITES = re.compile(r"\b(?:insert into|(?<!for )(?<!key )update|delete from|merge into)\b")
_LIST = re.compile(r"\( \?(?: , \?)* \)")
_ROWS = re.compile(r"\(\?\)(?: , \(\?\))+")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A statement without its values.

    Attributes:
        digest: 16 hexadecimal digits, stable across processes and versions of Python.
        verb: the first word in lower case: ``select``, ``insert``, ``with`` ...
        reads: whether it only reads, judged by its text.
    """

    digest: str
    verb: str
    reads: bool


_cache: dict[str, Fingerprint] = {}
_lock = threading.Lock()


def normalise(text: str) -> str:
    """The statement in one line of lower case: values as ``?``, lists of them as ``(?)``, no comments."""
    words: list[str] = []
    for match in TOKEN.finditer(text[:_MAX_CHARS]):
        kind = match.lastgroup
        if kind == "skip" or (kind == "cast" and words and words[-1] == "?"):
            continue
        if kind in ("value", "tag"):
            words.append("?")
        elif kind in ("quoted", "other"):
            words.append(match.group())
        else:
            words.append(match.group().lower())
    return shorten_lists(" ".join(words))


def shorten_lists(line: str) -> str:
    """A normalised line in which lists of values, and lists of such lists, are one."""
    return _ROWS.sub("(?)", _LIST.sub("(?)", line))


def fingerprint(text: str) -> Fingerprint:
    """The fingerprint of a statement; looked up in a bounded cache by its text.

    Args:
        text: SQL with any style of placeholder.
    """
    found = _cache.get(text)
    if found is None:
        found = _compute(text)
        with _lock:
            if len(_cache) >= _CACHE_ITEMS:
                for old in list(_cache)[: _CACHE_ITEMS // 4]:
                    del _cache[old]
            _cache[text] = found
    return found


def _compute(text: str) -> Fingerprint:
    line = normalise(text)
    verb = re.match(r"[\s(]*([a-z]+)", line)
    word = verb.group(1) if verb else ""
    reads = word in _READS and (word != "with" or not _WRITES.search(line))
    digest = hashlib.blake2b(line.encode("utf-8", "replace"), digest_size=8).hexdigest()
    return Fingerprint(digest, word, reads)
