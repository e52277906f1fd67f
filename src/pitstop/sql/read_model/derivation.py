"""The derivation: model and response put together once, shared by all read models made from it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import BindParameter, ClauseElement, ColumnElement, inspect
from sqlalchemy.exc import NoInspectionAvailable
from sqlalchemy.orm import Mapper
from sqlalchemy.sql import visitors

from pitstop.errors import ReadModelError
from pitstop.sql.read_model.entity import primary_key, root_entity
from pitstop.sql.read_model.mapping import map_shape
from pitstop.sql.read_model.shape import Shape
from pitstop.sql.read_model.source import Node, Options
from pitstop.sql.read_model.statement import Row

__all__ = ["Derivation", "mapper_of", "parameters_in"]


@dataclass(frozen=True)
class Derivation:
    """What a response reads of a mapped class.

    Attributes:
        mapper: of the class.
        shape: of the response.
        options: what the caller says of single fields.
    """

    mapper: "Mapper[Any]"
    shape: Shape
    options: Options

    @property
    def name(self) -> str:
        """As messages call it."""
        return f"{self.mapper.class_.__name__} -> {self.shape.name}"

    @cached_property
    def _mapped(self) -> tuple[Node, list[str]]:
        return map_shape(self.shape, self.mapper, self.options)

    def check(self) -> None:
        """See that every field has a source.

        Raises:
            ReadModelError: some have not; all are named.
        """
        _, problems = self._mapped
        if problems:
            raise ReadModelError("\n".join(problems))

    @cached_property
    def entity(self) -> Any:
        """What the outermost select reads."""
        self.check()
        return root_entity(self._mapped[0])

    @cached_property
    def row(self) -> Row:
        """What is read of each row."""
        return Row(self._mapped[0], self.entity)

    @cached_property
    def parameters(self) -> "list[BindParameter[Any]]":
        """The parameters in the row that have a name."""
        return parameters_in(self.row.expressions)

    @cached_property
    def primary_key(self) -> Sequence[ColumnElement[Any]]:
        """The columns that tell one row from another."""
        return primary_key(self.entity)


def parameters_in(expressions: Iterable[Any]) -> "list[BindParameter[Any]]":
    """The parameters of expressions that have a name, by which a value can be given."""
    found = []
    for each in expressions:
        element = each.__clause_element__() if hasattr(each, "__clause_element__") else each
        inner = visitors.iterate(element) if isinstance(element, ClauseElement) else ()
        found += [one for one in inner if isinstance(one, BindParameter) and not one.unique]
    return found


def mapper_of(model: type) -> "Mapper[Any]":
    """The mapper of a class.

    Raises:
        ReadModelError: it has none.
    """
    try:
        found: Any = inspect(model)
    except NoInspectionAvailable as error:
        raise ReadModelError(f"{model!r} is no mapped class: give a model of SQLAlchemy's ORM") from error
    if not isinstance(found, Mapper):
        raise ReadModelError(f"{model!r} is no mapped class: give the class itself, without aliased()")
    found.registry.configure()
    return found
