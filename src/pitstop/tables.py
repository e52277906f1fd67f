"""What a statement does to tables: which of them it changes."""

import re
from typing import Any

from sqlalchemy import ForeignKeyConstraint, Table, TextClause, TextualSelect, UpdateBase
from sqlalchemy.orm import FromStatement
from sqlalchemy.sql.compiler import SQLCompiler

__all__ = ["UNKNOWN_TABLE", "UNTOLD", "tables_written"]

UNKNOWN_TABLE = "*"
UNTOLD = "pitstop_untold"  # execution option of statements that change nothing which anybody is told of
_CASCADING = ("CASCADE", "SET NULL", "SET DEFAULT")
_COMMENT = r"--[^\n]*(?:\n|\Z)|/\*.*?\*/"
_FIRST_WORD = re.compile(rf"(?:\s|\(|{_COMMENT})*(\w+)", re.DOTALL)
_BLANK = re.compile(rf"(?:\s|{_COMMENT})*", re.DOTALL)
_EXECUTED = re.compile(
    r"\banaly[sz]e\b.*\b(insert|update|delete|merge|create|execute|refresh)\b", re.DOTALL | re.I
)
_READING = frozenset(
    """select values show table set reset savepoint release rollback begin start lock fetch declare
    close listen unlisten notify""".split()  # noqa: SIM905
)


def tables_written(context: Any, statement: str) -> list[str]:
    """The tables that a statement changes, with those that the database changes along (by its cascades).

    Args:
        context: the execution context that SQLAlchemy's cursor events give.
        statement: its text.

    Returns:
        their full names; ``"*"`` for a textual statement that may write; nothing for one that reads.
    """
    if context is not None and UNTOLD in context.execution_options:
        return []
    compiled = context.compiled if context is not None else None
    if compiled is None or not isinstance(compiled, SQLCompiler) or compiled.isplaintext:
        return [] if _only_reads(statement) else [UNKNOWN_TABLE]
    parts = (compiled.statement, *_common_tables(compiled))
    return list(dict.fromkeys(name for each in parts for name in _changed_by(each)))


def _changed_by(statement: Any) -> list[str]:
    while isinstance(statement, FromStatement | TextualSelect):  # entities or columns of what it returns
        statement = statement.element
    if isinstance(statement, TextClause):
        return [] if _only_reads(statement.text) else [UNKNOWN_TABLE]
    if not isinstance(statement, UpdateBase):
        return []
    table = statement.table
    if not isinstance(table, Table):
        return [UNKNOWN_TABLE]
    if statement.is_insert:
        return [table.fullname]
    return [table.fullname, *_changed_along(table, deleted=statement.is_delete)]


def _changed_along(table: Table, *, deleted: bool) -> list[str]:
    found: dict[str, None] = {}
    pending = [table.fullname]
    while pending:
        parent = pending.pop()
        for child in table.metadata.tables.values():
            if child.fullname not in found and any(
                _follows(each, parent, deleted=deleted) for each in child.foreign_key_constraints
            ):
                found[child.fullname] = None
                pending.append(child.fullname)
    return list(found)


def _follows(constraint: ForeignKeyConstraint, parent: str, *, deleted: bool) -> bool:
    rule = (constraint.ondelete if deleted else constraint.onupdate) or ""
    return rule.upper() in _CASCADING and constraint.referred_table.fullname == parent


def _common_tables(compiled: SQLCompiler) -> list[Any]:
    return [each.element for each in compiled.ctes or ()]


def _only_reads(text: str) -> bool:
    begun = _FIRST_WORD.match(text)  # a comment before it may hold anything
    rest = text if begun is None else text[begun.start(1) :]
    return all(map(_reads, rest.split(";")))  # one that lies within a string says no more than "may write"


def _reads(statement: str) -> bool:
    found = _FIRST_WORD.match(statement)
    if found is None:
        return _BLANK.fullmatch(statement) is not None
    verb = found[1].lower()
    if verb == "explain":
        return _EXECUTED.search(statement) is None
    return verb in _READING
