"""Automatic tags: what a statement reads and writes, by table, or by row where the primary key says which."""

import weakref
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from enum import Enum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    TEXT,
    VARCHAR,
    BindParameter,
    FromClause,
    Select,
    SelectBase,
    String,
    Table,
    Text,
    Unicode,
    UnicodeText,
)
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.elements import BinaryExpression, BooleanClauseList, ColumnElement, TextClause

__all__ = ["ANY_TABLE", "names_row", "read_by", "row_family", "row_tag", "table_tag"]

_Reader = Callable[[dict[str, Any]], tuple[str, ...]]
_PLAIN_TEXT = frozenset({String, Text, Unicode, UnicodeText, VARCHAR, TEXT})
_readers: "weakref.WeakKeyDictionary[Any, _Reader | None]" = weakref.WeakKeyDictionary()


ANY_TABLE = "table.*"
"""Carried by all that has automatic tags: a statement whose tables are not known changes it."""


def table_tag(table: str) -> str:
    """The tag of what depends on a table as a whole: each write to it changes it."""
    return f"table.{table}"


def row_family(table: str) -> str:
    """The family of the tags of a table's rows: bulk writes, whose rows are not known, change it."""
    return f"row.{table}"


def row_tag(table: str, identity: Iterable[object]) -> str:
    """The tag of what depends on one row."""
    return f"{row_family(table)}:{','.join(map(str, identity))}"


def read_by(context: Any) -> tuple[str, ...] | None:
    """The tags of what a statement reads; None if it cannot be told.

    Args:
        context: the execution context that SQLAlchemy's cursor events give.
    """
    compiled = getattr(context, "compiled", None)
    if compiled is None:
        return None
    if compiled not in _readers:
        # with the joins that loader options add, which the statement as written does not have
        final = getattr(compiled.compile_state, "statement", None)
        _readers[compiled] = _reader(compiled.statement if final is None else final, compiled.bind_names)
    reader = _readers[compiled]
    return None if reader is None else reader(context.compiled_parameters[0])


def _reader(statement: Any, names_of: Mapping[BindParameter[Any], str]) -> _Reader | None:
    parts = list(visitors.iterate(statement))
    # what is written by hand, in a whole statement or in a part, may read anything
    if isinstance(statement, TextClause) or any(_hides_tables(each) for each in parts):
        return None
    tables = tuple(dict.fromkeys(each for each in parts if isinstance(each, Table)))
    names = tuple(dict.fromkeys(table_tag(each.fullname) for each in tables))
    whole = (ANY_TABLE, *names)
    compared = _key_of(statement, tables[0]) if _reads_once(parts, tables) else None
    # by name: a parameter holds the value of the statement that was compiled, which others like it share
    given = {parameter.key: name for parameter, name in names_of.items()}
    if compared is None or not all(each.key in given for each in compared):
        return lambda parameters: whole
    columns, key = [*tables[0].primary_key.columns], [given[each.key] for each in compared]

    def of_row(parameters: dict[str, Any]) -> tuple[str, ...]:
        values = [parameters.get(each) for each in key]
        if not all(map(names_row, columns, values)):
            return whole
        return (ANY_TABLE, row_tag(tables[0].fullname, values))

    return of_row


def _reads_once(parts: "list[Any]", tables: "tuple[Table, ...]") -> bool:
    """Whether this is one select from one table: an alias or a second select sees other rows of it."""
    others = [each for each in parts[1:] if isinstance(each, FromClause | SelectBase)]
    # a function is a column, and what a select can be from as well
    alone = all(isinstance(each, Table | ColumnElement) for each in others)
    return isinstance(parts[0], Select) and len(tables) == 1 and alone


def names_row(column: "ColumnElement[Any]", value: object) -> bool:
    """Whether a value of a key is written in one way only: equal ones have the same tag.

    Not so what PostgreSQL takes for the same: ``5`` and ``5.00``, padded and case-insensitive text, a moment
    in two zones, a UUID as text.
    """
    kind = type(value)
    if kind is str:
        plain = type(column.type)
        return plain in _PLAIN_TEXT and getattr(column.type, "collation", None) is None
    return kind is int or kind is date or isinstance(value, UUID | Enum)


def _hides_tables(part: Any) -> bool:
    return isinstance(part, TextClause) and "from" in part.text.lower()


def _key_of(statement: "Select[Any]", table: Table) -> "list[BindParameter[Any]] | None":
    """The parameters that a select's primary key is compared with, in its order, if they make it one row."""
    compared: dict[str, BindParameter[Any]] = {}
    for clause in _conjunction(statement.whereclause):
        if isinstance(clause, BinaryExpression) and clause.operator is operators.eq:
            for column, value in ((clause.left, clause.right), (clause.right, clause.left)):
                if isinstance(value, BindParameter) and getattr(column, "table", None) is table:
                    compared[getattr(column, "key", "")] = value
    key = [column.key for column in table.primary_key.columns]
    return [compared[each] for each in key] if key and all(each in compared for each in key) else None


def _conjunction(clause: "ColumnElement[bool] | None") -> "list[ColumnElement[Any]]":
    if clause is None:
        return []
    if isinstance(clause, BooleanClauseList):
        if clause.operator is not operators.and_:
            return []
        return [part for each in clause.clauses for part in _conjunction(each)]
    return [clause]
