"""Automatic tags: what a statement reads and writes, by table, or by row where the primary key says which."""

import weakref
from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import BindParameter, Select, Table
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.elements import BinaryExpression, BooleanClauseList, ColumnElement, TextClause

__all__ = ["ANY_TABLE", "read_by", "row_family", "row_tag", "table_tag"]

_Reader = Callable[[dict[str, Any]], tuple[str, ...]]
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
        _readers[compiled] = _reader(compiled.statement if final is None else final)
    reader = _readers[compiled]
    return None if reader is None else reader(context.compiled_parameters[0])


def _reader(statement: Any) -> _Reader | None:
    parts = list(visitors.iterate(statement))
    # what is written by hand, in a whole statement or in a part, may read anything
    if isinstance(statement, TextClause) or any(_hides_tables(each) for each in parts):
        return None
    tables = tuple(dict.fromkeys(each for each in parts if isinstance(each, Table)))
    names = tuple(dict.fromkeys(table_tag(each.fullname) for each in tables))
    if isinstance(statement, Select) and len(tables) == 1:
        key = _key_of(statement, tables[0])
        if key is not None:
            table = tables[0].fullname
            return lambda parameters: (ANY_TABLE, row_tag(table, [_value(each, parameters) for each in key]))
    return lambda parameters: (ANY_TABLE, *names)


def _hides_tables(part: Any) -> bool:
    return isinstance(part, TextClause) and "from" in part.text.lower()


def _key_of(statement: "Select[Any]", table: Table) -> "list[BindParameter[Any]] | None":
    """The parameters that a select's primary key is compared with, in its order, if they make it one row."""
    compared: dict[str, BindParameter[Any]] = {}
    for clause in _conjunction(statement.whereclause):
        if isinstance(clause, BinaryExpression) and clause.operator is operators.eq:
            for column, value in ((clause.left, clause.right), (clause.right, clause.left)):
                if isinstance(value, BindParameter) and getattr(column, "table", None) is not None:
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


def _value(parameter: "BindParameter[Any]", parameters: dict[str, Any]) -> object:
    return parameters.get(parameter.key, parameter.value)
