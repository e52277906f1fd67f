"""``read_model``: a nested response as one statement, built step by step, asked with fetch or response."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import BindParameter, ColumnElement, Dialect, Select, literal
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import InstrumentedAttribute

from pitstop.errors import ReadModelError
from pitstop.sql.read_model.asking import AsyncSource, Source, ask, ask_async
from pitstop.sql.read_model.derivation import Derivation, mapper_of
from pitstop.sql.read_model.keyset import Cursors
from pitstop.sql.read_model.mapping import Collection, Options
from pitstop.sql.read_model.program import Question, Row
from pitstop.sql.read_model.selection import Selection
from pitstop.sql.read_model.shape import read_shape

if TYPE_CHECKING:
    from starlette.responses import Response

__all__ = ["Page", "ReadModel", "ReadOne", "ReadPage", "read_model"]

# parameters by name, which no driver takes but a person reads
_SHOWN: Dialect = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]

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


@dataclass(frozen=True, eq=False)
class _Asked:
    """What can be asked: a selection, and values of its parameters."""

    _selection: Selection
    _values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sql(self) -> str:
        """The statement, parameters by name."""
        return str(self._statement().compile(dialect=_SHOWN))

    def _statement(self) -> Select[Any]:
        raise NotImplementedError

    @cached_property
    def _question(self) -> Question:
        return Question(self._statement(), self._name)

    @property
    def _name(self) -> str:
        return self._selection.derivation.name

    async def _ask_async(self, source: AsyncSource, values: dict[str, Any]) -> Row | None:
        mapper = self._selection.derivation.mapper
        return await ask_async(source, self._question, mapper, {**self._values, **values})

    def _ask(self, source: Source, values: dict[str, Any]) -> Row | None:
        mapper = self._selection.derivation.mapper
        return ask(source, self._question, mapper, {**self._values, **values})

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name}>"


class ReadModel(_Asked):
    """Rows of a mapped class as a JSON array. Immutable: every step gives a new one.

    Make it once, at import: the statement is compiled at its first use. What changes from request to request
    is a ``bindparam("name")`` in it and a value for ``name`` in :meth:`fetch`.
    """

    def field(self, path: str, *source: Any) -> "ReadModel":
        """Say where a field of the response comes from. Comes before all other steps.

        Args:
            path: name of the field in the response; ``"comments.author_name"`` in a nested one.
            source: an SQL expression on the class that the field's object is read from, correlated
                subqueries included; or relationships and a column at their end: ``Post.author, User.name``
                gives one name, ``Post.tags, Tag.name`` a list of names.
        """
        if not source:
            raise ReadModelError(f"field {path!r} has no source: give an SQL expression")
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
        key = target if isinstance(target, str) else (target.property.parent.class_, target.key)
        order = None if order_by is None else _several(order_by)
        options = self._selection.derivation.options
        collections = {**options.collections, key: Collection(order, limit, _several(where))}
        return self._with_options(replace(options, collections=collections))

    def _with_options(self, options: Options) -> "ReadModel":
        derivation = replace(self._selection.derivation, options=options)
        return ReadModel(replace(self._selection, derivation=derivation), self._values)

    def where(self, *criteria: ColumnElement[bool]) -> "ReadModel":
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
        return _bytes(await self._ask_async(source, params))

    def fetch_sync(self, source: Source, /, **params: Any) -> bytes:
        """As :meth:`fetch`, with a ``Session``, ``Connection`` or ``Engine``."""
        return _bytes(self._ask(source, params))

    async def response(self, source: AsyncSource, /, **params: Any) -> "Response":
        """The JSON array as a response of Starlette's; arguments as for :meth:`fetch`."""
        return _response(await self.fetch(source, **params))

    def response_sync(self, source: Source, /, **params: Any) -> "Response":
        """As :meth:`response`, without asyncio."""
        return _response(self.fetch_sync(source, **params))


@dataclass(frozen=True, eq=False)
class ReadOne(_Asked):
    """One row as a JSON object; made by :meth:`ReadModel.one`."""

    _missing: str = "Not Found"

    def _statement(self) -> Select[Any]:
        return self._selection.object()

    async def fetch(self, source: AsyncSource, /, **params: Any) -> bytes | None:
        """The JSON object, or None when there is no row; arguments as for :meth:`ReadModel.fetch`."""
        row = await self._ask_async(source, params)
        return None if row is None else _bytes(row)

    def fetch_sync(self, source: Source, /, **params: Any) -> bytes | None:
        """As :meth:`fetch`, without asyncio."""
        row = self._ask(source, params)
        return None if row is None else _bytes(row)

    async def response(self, source: AsyncSource, /, **params: Any) -> "Response":
        """The JSON object as a response of Starlette's.

        Raises:
            HTTPException: 404, there is no row.
        """
        return self._found(await self.fetch(source, **params))

    def response_sync(self, source: Source, /, **params: Any) -> "Response":
        """As :meth:`response`, without asyncio."""
        return self._found(self.fetch_sync(source, **params))

    def _found(self, data: bytes | None) -> "Response":
        if data is None:
            from starlette.exceptions import HTTPException

            raise HTTPException(404, self._missing)
        return _response(data)


@dataclass(frozen=True, slots=True)
class Page:
    """A page of rows.

    Attributes:
        data: JSON array, UTF-8.
        next: cursor of the next page; None on the last one.
    """

    data: bytes
    next: str | None

    def json(self) -> bytes:
        """JSON object of both, ``{"items": [...], "next": "..."}``."""
        return b'{"items":%b,"next":%b}' % (self.data, json.dumps(self.next).encode())


@dataclass(frozen=True, eq=False)
class ReadPage(_Asked):
    """One page; made by :meth:`ReadModel.page`."""

    cursors: Cursors | None = None

    def of(self, values: Mapping[str, Any]) -> "ReadPage":
        """The same question with other values."""
        page = replace(self, _values=values)
        page.__dict__["_question"] = self._question
        return page

    def _statement(self) -> Select[Any]:
        return self._selection.page()

    def _page(self, row: Row) -> Page:
        items, last, found = row
        more = found > self._values["size"]
        assert self.cursors is not None
        return Page(items.encode(), self.cursors.token(last) if more else None)

    async def fetch(self, source: AsyncSource, /, **params: Any) -> Page:
        """The page; arguments as for :meth:`ReadModel.fetch`."""
        return self._page(await self._ask_async(source, params))

    def fetch_sync(self, source: Source, /, **params: Any) -> Page:
        """As :meth:`fetch`, without asyncio."""
        return self._page(self._ask(source, params))

    async def response(self, source: AsyncSource, /, **params: Any) -> "Response":
        """The page as a response of Starlette's: ``{"items": [...], "next": "..."}``."""
        return _response((await self.fetch(source, **params)).json())

    def response_sync(self, source: Source, /, **params: Any) -> "Response":
        """As :meth:`response`, without asyncio."""
        return _response(self.fetch_sync(source, **params).json())


def _several(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)


def _bytes(row: Row) -> bytes:
    data: str = row[0]
    return data.encode()


def _response(data: bytes) -> "Response":
    from starlette.responses import Response

    return Response(data, media_type="application/json")
