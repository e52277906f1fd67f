"""What can be asked: a selection with values, for all rows, for one, or for a page."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import BindParameter, Dialect, Select
from sqlalchemy.dialects import postgresql

from pitstop.sql.read_model.asking import AsyncSource, Source, ask, ask_async
from pitstop.sql.read_model.keyset import Cursors
from pitstop.sql.read_model.program import Question, Row
from pitstop.sql.read_model.selection import SIZE, Selection

if TYPE_CHECKING:
    from starlette.responses import Response

__all__ = ["Asked", "Page", "ReadOne", "ReadPage", "as_bytes", "as_response"]

# parameters by name, which no driver takes but a person reads
_SHOWN: Dialect = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]


@dataclass(frozen=True, eq=False)
class Asked(ABC):
    """What can be asked: a selection, and values of its parameters."""

    _selection: Selection
    _values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sql(self) -> str:
        """The statement, parameters by name."""
        return str(self._statement().compile(dialect=_SHOWN))

    @abstractmethod
    def _statement(self) -> Select[Any]:
        """The statement, made anew."""

    @cached_property
    def _question(self) -> Question:
        return Question(self._statement(), self._parameters(), self._name)

    def _parameters(self) -> list[BindParameter[Any]]:
        return self._selection.parameters

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


@dataclass(frozen=True, eq=False)
class ReadOne(Asked):
    """One row as a JSON object; made by :meth:`ReadModel.one`."""

    _missing: str = "Not Found"

    def _statement(self) -> Select[Any]:
        return self._selection.object()

    async def fetch(self, source: AsyncSource, /, **params: Any) -> bytes | None:
        """The JSON object, or None when there is no row; arguments as for :meth:`ReadModel.fetch`."""
        row = await self._ask_async(source, params)
        return None if row is None else as_bytes(row)

    def fetch_sync(self, source: Source, /, **params: Any) -> bytes | None:
        """As :meth:`fetch`, without asyncio."""
        row = self._ask(source, params)
        return None if row is None else as_bytes(row)

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
        return as_response(data)


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
class ReadPage(Asked):
    """One page; made by :meth:`ReadModel.page`."""

    cursors: Cursors | None = None

    def of(self, values: Mapping[str, Any]) -> "ReadPage":
        """The same question with other values."""
        page = replace(self, _values=values)
        page.__dict__["_question"] = self._question
        return page

    def _statement(self) -> Select[Any]:
        return self._selection.page()

    def _parameters(self) -> list[BindParameter[Any]]:
        return [*self._selection.parameters, SIZE]

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
        return as_response((await self.fetch(source, **params)).json())

    def response_sync(self, source: Source, /, **params: Any) -> "Response":
        """As :meth:`response`, without asyncio."""
        return as_response(self.fetch_sync(source, **params).json())


def as_bytes(row: Row) -> bytes:
    """The JSON of a row."""
    data: str = row[0]
    return data.encode()


def as_response(data: bytes) -> "Response":
    """JSON as a response of Starlette's."""
    from starlette.responses import Response

    return Response(data, media_type="application/json")
