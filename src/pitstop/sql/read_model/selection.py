"""The selection: which rows, in which order, from where on; and the statements that answer with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    ColumnExpressionArgument,
    Integer,
    Select,
    Text,
    bindparam,
    cast,
    func,
    select,
    tuple_,
)

from pitstop.sql.read_model.codec import json_constant
from pitstop.sql.read_model.derivation import Derivation, parameters_in
from pitstop.sql.read_model.entity import free_name
from pitstop.sql.read_model.keyset import Key, after, cursor_value, keys_of
from pitstop.sql.read_model.statement import array_of, object_of

__all__ = ["SIZE", "Selection"]

SIZE: BindParameter[int] = bindparam("size", type_=Integer)


@dataclass(frozen=True)
class Selection:
    """Rows of a derivation.

    Attributes:
        criteria: conditions, all of which hold.
        order: ORDER BY; empty for that of the primary key.
        limit, offset: numbers or parameters, or None.
        behind: values of the keys of the row after which it begins; empty for the first.
        unique: whether the primary key is added to the order.
    """

    derivation: Derivation
    criteria: tuple[ColumnExpressionArgument[bool], ...] = ()
    order: tuple[Any, ...] = ()
    limit: Any = None
    offset: Any = None
    behind: tuple[ColumnElement[Any] | None, ...] = ()
    unique: bool = False

    @property
    def keys(self) -> list[Key]:
        """The order as keys, unique."""
        return keys_of(self.order, self.derivation.primary_key)

    @property
    def parameters(self) -> "list[BindParameter[Any]]":
        """All parameters that have a name."""
        mine = (*self.criteria, *self.order, self.limit, self.offset, *self.behind)
        return [*self.derivation.parameters, *parameters_in(mine)]

    def rows(self, *more: Any, most: Any = None) -> Select[Any]:
        """The rows, a column for each key of the response, and more columns.

        Args:
            more: labelled.
            most: rows; None for as many as are selected.
        """
        row = self.derivation.row
        rows = self._found((*row.columns, *more))
        return row.of(rows if most is None else rows.limit(most), *(each.name for each in more))

    def _found(self, columns: Sequence[Any]) -> Select[Any]:
        if self.offset is None:
            return self._select(columns).limit(self.limit)
        # What is skipped is never made into JSON: the rows are found first, by their keys alone.
        key = self.derivation.primary_key
        wanted = self._select(key).limit(self.limit).offset(self.offset).correlate(None)
        unique = tuple_(*key) if len(key) > 1 else key[0]
        found = select(*columns).select_from(self.derivation.entity).where(unique.in_(wanted))
        return found.order_by(*self._order())

    def _select(self, columns: Sequence[Any]) -> Select[Any]:
        rows = select(*columns).select_from(self.derivation.entity).where(*self.criteria)
        if self.behind:
            rows = rows.where(after(self.keys, self.behind))
        return rows.order_by(*self._order())

    def _order(self) -> Sequence[Any]:
        if not self.unique:
            return self.order or self.derivation.primary_key
        return [*self.order, *(key.expression for key in self.keys[len(self.order) :])]

    def array(self) -> Select[Any]:
        """The statement whose one value is the rows as a JSON array, as text."""
        return self._as_orm(select(cast(array_of(self.rows()), Text)))

    def object(self) -> Select[Any]:
        """The statement whose one value is the first row as a JSON object, as text; no row without one."""
        return self._as_orm(select(cast(object_of(self.rows(most=1)), Text)))

    def page(self) -> Select[Any]:
        """The statement for a page of ``:size`` rows: JSON array, cursor of its last row, rows found.

        One row more than the page is looked for, to know whether there is another page.
        """
        cursor = free_name("cursor", self.derivation.row.names)
        page = self.rows(cursor_value(self.keys).label(cursor), most=SIZE + 1).subquery("page")
        item = object_of(select(*(each for each in page.c if each.name != cursor)).correlate(page))
        numbered = select(
            func.row_number().over().label("number"),
            select(item).scalar_subquery().label("item"),
            cast(page.c[cursor], Text).label("cursor"),
        ).subquery("numbered")
        items = func.json_agg(numbered.c.item).filter(numbered.c.number <= SIZE)
        last = func.max(numbered.c.cursor).filter(numbered.c.number == SIZE)
        columns: list[Any] = [cast(func.coalesce(items, json_constant("[]")), Text), last, func.count()]
        return self._as_orm(select(*columns))

    def _as_orm(self, statement: Select[Any]) -> Select[Any]:
        """As a statement of the ORM's, so that ``with_loader_criteria`` reaches all classes in it."""
        marks = {"compile_state_plugin": "orm", "plugin_subject": self.derivation.mapper}
        return statement._set_propagate_attrs(marks)
