"""Keyset pages: the order of the rows as keys, what lies after a row, and the cursor that names a row."""

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Dialect, Text, and_, bindparam, cast, false, func, or_, tuple_
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import UnaryExpression

from pitstop.errors import CursorError

__all__ = ["Cursors", "Key", "after", "cursor_value", "keys_of"]

_DIGEST_BYTES = 6  # against a cursor cut short or of another query; it guards no secret
_DIALECT: Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
_LONGEST = 8192  # characters


@dataclass(frozen=True, slots=True)
class Key:
    """One expression that rows are ordered by."""

    expression: ColumnElement[Any]
    descending: bool
    nulls_first: bool
    nullable: bool


def keys_of(order: Sequence[Any], primary_key: Sequence[ColumnElement[Any]]) -> list[Key]:
    """The keys of an ORDER BY, with the primary key behind them so that no two rows are equal."""
    keys = [_key(each) for each in order]
    known = {_column(each.expression) for each in keys}
    return keys + [_key(each) for each in primary_key if _column(each) not in known]


def _key(element: Any) -> Key:
    if hasattr(element, "__clause_element__"):
        element = element.__clause_element__()
    modifiers = set()
    while isinstance(element, UnaryExpression) and element.modifier is not None:
        modifiers.add(element.modifier)
        element = element.element
    descending = operators.desc_op in modifiers
    first = operators.nulls_first_op in modifiers
    last = operators.nulls_last_op in modifiers
    return Key(element, descending, first or (descending and not last), getattr(element, "nullable", True))


def _column(expression: Any) -> Any:
    """What two spellings of the same column have in common."""
    if hasattr(expression, "__clause_element__"):
        expression = expression.__clause_element__()
    return getattr(expression, "table", None), getattr(expression, "key", id(expression))


def after(keys: Sequence[Key], values: Sequence[ColumnElement[Any] | None]) -> ColumnElement[bool]:
    """The rows behind the one with these values; None stands for NULL."""
    directions = {key.descending for key in keys}
    if len(directions) == 1 and not any(key.nullable for key in keys):
        left, right = tuple_(*(key.expression for key in keys)), tuple_(*values)
        return left < right if directions.pop() else left > right
    branches = []
    for index in range(len(keys)):
        behind = _behind(keys[index], values[index])
        if behind is not None:
            branches.append(and_(*map(_equal, keys[:index], values[:index]), behind))
    if not branches:
        return false()
    return and_(*_bound(keys[0], values[0]), or_(*branches))


def _bound(key: Key, value: ColumnElement[Any] | None) -> list[ColumnElement[bool]]:
    """What already follows from the first key alone: an index can begin there."""
    if value is None or key.nullable:
        return []
    return [key.expression <= value if key.descending else key.expression >= value]


def _equal(key: Key, value: ColumnElement[Any] | None) -> ColumnElement[bool]:
    return key.expression.is_(None) if value is None else key.expression == value


def _behind(key: Key, value: ColumnElement[Any] | None) -> ColumnElement[bool] | None:
    if value is None:
        return key.expression.is_not(None) if key.nulls_first else None
    beyond = key.expression < value if key.descending else key.expression > value
    return or_(beyond, key.expression.is_(None)) if key.nullable and not key.nulls_first else beyond


def cursor_value(keys: Sequence[Key]) -> ColumnElement[Any]:
    """JSON array of the keys of a row, each as PostgreSQL writes and reads it itself."""
    return func.json_build_array(*(cast(key.expression, Text) for key in keys))


class Cursors:
    """Makes and reads the cursors of one order.

    Args:
        keys: the order.
        name: of the read model, so that a cursor of another one is refused.
    """

    def __init__(self, keys: Sequence[Key], name: str) -> None:
        self._keys = keys
        order = [f"{key.expression.compile(dialect=_DIALECT)} {key.descending}" for key in keys]
        self._seal = hashlib.blake2s("\0".join([name, *order]).encode()).digest()

    def token(self, values: str) -> str:
        """The cursor for the JSON array of a row's keys."""
        content = values.encode()
        return base64.urlsafe_b64encode(self._digest(content) + content).decode().rstrip("=")

    def values(self, token: str) -> list[str | None]:
        """The keys that a cursor holds, as text.

        Raises:
            CursorError: it is none of this order's.
        """
        try:
            raw = base64.urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
        except (UnicodeEncodeError, binascii.Error) as error:
            raise self._refuse(token) from error
        digest, content = raw[:_DIGEST_BYTES], raw[_DIGEST_BYTES:]
        if len(token) > _LONGEST or digest != self._digest(content):
            raise self._refuse(token)
        values: list[str | None] = json.loads(content)
        return values

    def _digest(self, content: bytes) -> bytes:
        return hashlib.blake2s(content, key=self._seal, digest_size=_DIGEST_BYTES).digest()

    def _refuse(self, token: str) -> CursorError:
        return CursorError(
            f"cursor {token[:40]!r} is none of this read model's: use the 'next' of a page as it is"
        )

    def parameters(self, nulls: Sequence[bool]) -> list[ColumnElement[Any] | None]:
        """The parameters that hold the keys, ``after_0`` and so on; None where the key is NULL."""
        return [
            None if null else cast(bindparam(f"after_{index}", type_=Text), key.expression.type)
            for index, (key, null) in enumerate(zip(self._keys, nulls, strict=True))
        ]
