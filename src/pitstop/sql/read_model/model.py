"""``read_model``: a nested response as one statement, built step by step, asked with fetch or response."""

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import BindParameter, ColumnElement, ColumnExpressionArgument, Select, literal
from sqlalchemy.orm import InstrumentedAttribute, RelationshipProperty

from pitstop.errors import ReadModelError
from pitstop.sql.read_model.asked import Asked, ReadOne, ReadPage, as_bytes, as_response
from pitstop.sql.read_model.asking import AsyncSource, Source
from pitstop.sql.read_model.derivation import Derivation, mapper_of
from pitstop.sql.read_model.keyset import Cursors
from pitstop.sql.read_model.selection import Selection
from pitstop.sql.read_model.shape import read_shape
from pitstop.sql.read_model.source import Collection, Options

if TYPE_CHECKING:
    from starlette.responses import Response

__all__ = ["ReadModel", "read_model"]

Count = int | BindParameter[int] | None


def read_model(model: type, response: type) -> "ReadModel":
    """Derive one statement that makes the JSON of a response from a mapped class and its relations.

    Args:
        model: a class mapped by SQLAlchemy.
        response: a pydantic model or msgspec Struct for one row of it. Its fields are found by name on the
            mapped class; what is an object or a list of objects there is a relationship here.

    Raises:
        ReadModelError: the response as a whole can only be made by Python code. What is wrong with single
            fields, and can be mended with :meth:`ReadModel.field`, is raised by the next step.
    """
    derivation = Derivation(mapper_of(model), read_shape(response), Options())
    return ReadModel(Selection(derivation))


class ReadModel(Asked):
    """Rows of a mapped class as a JSON array. Immutable: every step gives a new one.

    Make it once, at import: the statement is compiled at its first use. What changes from request to request
    is a ``bindparam("name")`` in it and a value for ``name`` in :meth:`fetch`.
    """

    def field(self, path: str, *source: Any) -> "ReadModel":
        """Say where a field of the response comes from. Comes before all other steps.

        Args:
            path: name of the field in the response; ``"comments.author_name"`` in a nested one.
            source: an SQL expression on the class that the field's object is read from, correlated
                subqueries included, or a constant; or relationships and a column at their end:
                ``Post.author, User.name`` gives one name, ``Post.tags, Tag.name`` a list of names.
        """
        if not source:
            raise ReadModelError(f"field {path!r} has no source: give an SQL expression")
        for each in source[:-1]:
            _check_relationship(each)
        options = self._selection.derivation.options
        return self._with_options(replace(options, fields={**options.fields, path: source}))

    def collection(
        self,
        target: "str | InstrumentedAttribute[Any]",
        *,
        order_by: Any = None,
        limit: Count = None,
        where: Any = (),
    ) -> "ReadModel":
        """Order, cut or filter the rows of one collection, for each of its owners. Comes before all other
        steps, like :meth:`field`.

        Args:
            target: the relationship (``Post.comments``), or the path of the field in the response
                (``"comments.replies"``).
            order_by: one expression or several, instead of the relationship's own order.
            limit: rows for each owner.
            where: one condition or several on the related class.
        """
        if not isinstance(target, str):
            _check_relationship(target)
        key = target if isinstance(target, str) else (target.property.parent.class_, target.key)
        order = None if order_by is None else _several(order_by)
        options = self._selection.derivation.options
        collections = {**options.collections, key: Collection(order, limit, _several(where))}
        return self._with_options(replace(options, collections=collections))

    def _with_options(self, options: Options) -> "ReadModel":
        derivation = replace(self._selection.derivation, options=options)
        return ReadModel(replace(self._selection, derivation=derivation), self._values)

    def where(self, *criteria: ColumnExpressionArgument[bool]) -> "ReadModel":
        """Only rows for which all of these hold; several calls add up."""
        return self._with(criteria=(*self._selection.criteria, *criteria))

    def order_by(self, *order: Any) -> "ReadModel":
        """In this order; several calls add up. Without one the order is that of the primary key."""
        return self._with(order=(*self._selection.order, *order))

    def limit(self, limit: Count) -> "ReadModel":
        """At most so many rows: a number or a parameter."""
        return self._with(limit=limit)

    def offset(self, offset: Count) -> "ReadModel":
        """Without the first so many rows: a number or a parameter. :meth:`page` costs less on deep pages."""
        return self._with(offset=offset)

    def after(self, *values: Any) -> "ReadModel":
        """Only rows behind the one that has these values.

        Args:
            values: one for each expression of the order, then the primary key where the order does not
                hold it; None for NULL.

        Raises:
            ReadModelError: there are more or fewer.
        """
        keys = self._selection.keys
        if len(values) != len(keys):
            names = ", ".join(str(key.expression) for key in keys)
            raise ReadModelError(f"after() has {len(values)} values for {len(keys)} keys: give {names}")
        behind = tuple(
            value
            if value is None or isinstance(value, ColumnElement)
            else literal(value, key.expression.type)
            for value, key in zip(values, keys, strict=True)
        )
        return self._with(behind=behind, unique=True)

    def params(self, **values: Any) -> "ReadModel":
        """Values for parameters; those given to :meth:`fetch` come before."""
        return ReadModel(self._selection, {**self._values, **values})

    def one(self, *, missing: str = "Not Found") -> "ReadOne":
        """The first row as an object instead of all rows as an array.

        Args:
            missing: what the answer 404 says when there is no row.
        """
        self._selection.derivation.check()
        return ReadOne(self._selection, self._values, missing)

    def page(self, size: int, *, after: str | None = None) -> "ReadPage":
        """A page that knows the cursor of the next one; the statement is compiled once for all pages.

        Args:
            size: rows of a page, 1 or more.
            after: the cursor that the page before gave; None for the first page.

        Raises:
            CursorError: the cursor is none of this read model's.
            ReadModelError: the size is no number of rows, or there is a limit or offset already.
        """
        if size < 1:
            raise ReadModelError(f"a page of {size} rows: give 1 or more")
        if self._selection.limit is not None or self._selection.offset is not None:
            raise ReadModelError("a page has its own limit and no offset: take limit() and offset() away")
        values: list[str | None] = [] if after is None else self._cursors.values(after)
        nulls = tuple(value is None for value in values)
        if nulls not in self._pages:
            behind = tuple(self._cursors.parameters(nulls)) if nulls else self._selection.behind
            selection = replace(self._selection, behind=behind, unique=True)
            self._pages[nulls] = ReadPage(selection, cursors=self._cursors)
        given = {f"after_{index}": value for index, value in enumerate(values) if value is not None}
        return self._pages[nulls].of({**self._values, "size": size, **given})

    @cached_property
    def _pages(self) -> "dict[tuple[bool, ...], ReadPage]":
        return {}

    @cached_property
    def _cursors(self) -> Cursors:
        return Cursors(self._selection.keys, self._name)

    def _with(self, **changes: Any) -> "ReadModel":
        self._selection.derivation.check()
        return ReadModel(replace(self._selection, **changes), self._values)

    def _statement(self) -> Select[Any]:
        return self._selection.array()

    async def fetch(self, source: AsyncSource, /, **params: Any) -> bytes:
        """The JSON array, UTF-8.

        Args:
            source: an ``AsyncSession``: in its transaction, after its flush, as a query of its own; an
                ``AsyncConnection``; or an ``AsyncEngine``: on a connection of its pool, outside any
                transaction, which is the fastest.
            params: values of the parameters.

        Raises:
            ReadModelError: a parameter has no value, or a value no parameter.
        """
        return as_bytes(await self._ask_async(source, params))

    def fetch_sync(self, source: Source, /, **params: Any) -> bytes:
        """As :meth:`fetch`, with a ``Session``, ``Connection`` or ``Engine``."""
        return as_bytes(self._ask(source, params))

    async def response(self, source: AsyncSource, /, **params: Any) -> "Response":
        """The JSON array as a response of Starlette's; arguments as for :meth:`fetch`."""
        return as_response(await self.fetch(source, **params))

    def response_sync(self, source: Source, /, **params: Any) -> "Response":
        """As :meth:`response`, without asyncio."""
        return as_response(self.fetch_sync(source, **params))


def _check_relationship(attribute: Any) -> None:
    if not isinstance(getattr(attribute, "property", None), RelationshipProperty):
        raise ReadModelError(f"{attribute} is no relationship: give an attribute like Post.comments")


def _several(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)
