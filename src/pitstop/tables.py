"""What a statement does to tables: which of them it changes."""

import re
from typing import Any

from sqlalchemy import ForeignKeyConstraint, Table, UpdateBase
from sqlalchemy.sql.compiler import SQLCompiler

__all__ = ["UNKNOWN_TABLE", "tables_written"]

UNKNOWN_TABLE = "*"
_CASCADING = ("CASCADE", "SET NULL", "SET DEFAULT")
_FIRST_WORD = re.compile(r"(?:\s|\(|--[^\n]*\n|/\*.*?\*/)*(\w+)", re.DOTALL)
_READING = frozenset(
    """select values show table explain set reset savepoint release rollback begin start lock fetch declare
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
    compiled = context.compiled if context is not None else None
    if compiled is None or not isinstance(compiled, SQLCompiler) or compiled.isplaintext:
        return [] if _only_reads(statement) else [UNKNOWN_TABLE]
    written = [
        each for each in (compiled.statement, *_common_tables(compiled)) if isinstance(each, UpdateBase)
    ]
    return list(dict.fromkeys(name for each in written for name in _changed_by(each)))


def _changed_by(statement: UpdateBase) -> list[str]:
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


def _only_reads(statement: str) -> bool:
    verb = _FIRST_WORD.match(statement)
    return verb is None or verb[1].lower() in _READING
