"""What a person has at hand, made into documents as ``EXPLAIN (FORMAT JSON)`` gives them.

Objects, JSON and text; as psql, pgAdmin or DBeaver show it, quoted, or out of a log of ``auto_explain``.
"""

import ast
import codecs
import json
import re
from collections.abc import Iterable, Mapping, Sequence, Sized
from typing import Any

from pitstop.errors import PlanError
from pitstop.postgres.explain.framing import split_tables, unframe
from pitstop.postgres.explain.log import split_log
from pitstop.postgres.explain.text_form import is_title, read_text
from pitstop.postgres.explain.wrapping import join_broken

__all__ = ["decoded", "read_documents"]

Document = Mapping[str, Any]

_FIGURES = re.compile(r"\((?:cost=|actual |never executed)")
_STATEMENT = re.compile(r"(?:explain|select|with|insert|update|delete|merge|values|table)\b", re.IGNORECASE)
_YAML = re.compile(r"^\s*(?:- )?(?:Plan: *$|Node Type: \"|- Query Text:)", re.MULTILINE)
_EXPECTED = "give the output of EXPLAIN, in text form or FORMAT JSON"


def read_documents(source: object) -> list[Document]:
    """Every plan in the source, in its order; at least one.

    Args:
        source: text or bytes; a document of ``FORMAT JSON`` or a list of them; rows as a driver fetched them.

    Raises:
        PlanError: there is no plan in it, or one that breaks off.
    """
    if isinstance(source, bytes | bytearray):
        source = decoded(bytes(source))
    if isinstance(source, str):
        return _read_string(source)
    if isinstance(source, Mapping):
        return [_document(source)]
    rows = _items(source)
    if rows:
        return _read_rows(rows)
    raise PlanError(f"{_shown(source)} is no plan: {_EXPECTED}")


def decoded(source: bytes) -> str:
    """Text out of a file, in UTF-8, or in UTF-16 as PowerShell writes it."""
    wide = source.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return source.decode("utf-16" if wide else "utf-8", "replace")


def _items(source: object) -> list[Any]:
    """What is in a list or row; rows of asyncpg are neither sequences nor mappings."""
    if isinstance(source, Sequence) or (isinstance(source, Sized) and isinstance(source, Iterable)):
        return list(source)
    return []


def _read_rows(rows: list[Any]) -> list[Document]:
    first = rows[0]
    if isinstance(first, str):
        return _read_string("\n".join(map(str, rows)))
    if isinstance(first, Mapping) and len(first) == 1 and "Plan" not in first:  # rows as dictionaries
        return _read_rows([next(iter(row.values())) for row in rows])
    if isinstance(first, Mapping):
        return [_document(each) for each in rows]
    if len(_items(first)) == 1:  # rows of one column
        return _read_rows([_items(row)[0] for row in rows])
    return read_documents(first)


def _document(source: Mapping[Any, Any]) -> Document:
    if isinstance(source.get("Plan"), Mapping):
        return source
    if "Node Type" in source:
        return {"Plan": source}
    if len(source) == 1:  # a row as a dictionary
        return read_documents(next(iter(source.values())))[0]
    raise PlanError(f"a document without 'Plan' is no plan: {_EXPECTED}")


def _read_string(text: str) -> list[Document]:
    if not text.strip():
        raise PlanError(f"the plan is empty: {_EXPECTED}")
    logged = split_log(text)
    if logged is None:
        return [document for table in split_tables(text) for document in _read_plan(table)]
    return [{**document, **about} for about, part in logged for document in _read_plan(part)]


def _read_plan(text: str) -> list[Document]:
    bare = unframe(text)
    stripped = bare.lstrip()
    if stripped.startswith(("{", "[")):
        return _read_json(stripped)
    lines = join_broken(bare.splitlines())
    start = _find_root(lines)
    if start is not None:
        about = _query_text(lines[:start])
        return [{**about, **read_text(plan)} for plan in _split_roots(lines[start:])]
    begun = re.search(r"^\s*[\[{]", bare, re.MULTILINE)
    if begun and '"Plan"' in bare:
        return _read_json(bare[begun.start() :].lstrip())
    raise PlanError(_explain_absence(stripped))


def _read_json(text: str) -> list[Document]:
    try:
        found, _ = json.JSONDecoder().raw_decode(text)
    except RecursionError as error:
        raise PlanError("the plan is nested too deeply for JSON: give it in text form") from error
    except json.JSONDecodeError as error:
        literal = _read_literal(text)
        if literal is None:
            raise PlanError(
                f"the JSON of the plan is broken at line {error.lineno}, column {error.colno} "
                f"({error.msg.lower()}): copy it whole"
            ) from error
        found = literal
    return read_documents(found)


def _read_literal(text: str) -> object:
    """What a Python console prints of fetched rows, or None."""
    try:
        return ast.literal_eval(text.strip()) or None
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _find_root(lines: list[str]) -> int | None:
    for index, line in enumerate(lines):
        if _FIGURES.search(line) and is_title(line):
            return index
    return next((index for index, line in enumerate(lines) if is_title(line)), None)


def _split_roots(lines: list[str]) -> list[list[str]]:
    """One plan below another: each begins where a node stands as far left as the first."""
    margin = _margin(lines[0])
    starts = [0, *(index for index, line in enumerate(lines) if index and _is_root(line, margin))]
    return [lines[start:end] for start, end in zip(starts, [*starts[1:], len(lines)], strict=True)]


def _is_root(line: str, margin: int) -> bool:
    arrow = line.lstrip().startswith("->")
    return _margin(line) <= margin and not arrow and bool(_FIGURES.search(line)) and is_title(line)


def _margin(line: str) -> int:
    return len(line) - len(line.lstrip())


def _query_text(lines: list[str]) -> Document:
    """The statement before the plan in a log of auto_explain."""
    text = "\n".join(lines).strip()
    told, _, _ = text.partition("\nQuery Parameters:")
    return {"Query Text": told.removeprefix("Query Text:").strip()} if text.startswith("Query Text:") else {}


def _explain_absence(text: str) -> str:
    if _YAML.search(text):
        return "plans in FORMAT YAML are not read: use FORMAT JSON or the text form"
    if text.startswith("<explain") or "<Node-Type>" in text:
        return "plans in FORMAT XML are not read: use FORMAT JSON or the text form"
    if "tility statements have no plan" in text:
        return "utility statements have no plan: explain a SELECT, INSERT, UPDATE, DELETE or MERGE"
    if _STATEMENT.match(text):
        return f"{_shown(text)} is a statement, not a plan: run EXPLAIN on it, or `pitstop explain`"
    return f"no plan in {_shown(text)}: {_EXPECTED}"


def _shown(source: object) -> str:
    line = " ".join(source.split()) if isinstance(source, str) else repr(source)
    return f"'{line[:60]}...'" if len(line) > 60 else f"'{line}'"
