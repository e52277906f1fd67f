"""Where a field comes from: constant, attribute, expression, relation; and what the caller says of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from sqlalchemy import ColumnExpressionArgument
from sqlalchemy.orm import Mapper, RelationshipProperty

from pitstop.sql.read_model.shape import Value

__all__ = [
    "Attribute",
    "Collection",
    "Constant",
    "Expression",
    "Node",
    "Options",
    "Reach",
    "Relation",
    "Relationship",
    "Source",
]

Relationship: TypeAlias = "RelationshipProperty[Any]"


@dataclass(frozen=True, slots=True)
class Collection:
    """What the caller asks of one collection; None leaves it as it is."""

    order_by: tuple[Any, ...] | None = None
    limit: Any = None
    where: tuple[ColumnExpressionArgument[bool], ...] = ()


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller says of single fields.

    Attributes:
        fields: dotted path of a field -> an SQL expression, or relationships and a column at their end.
        collections: dotted path of a field, or class and relationship -> what is asked of it.
    """

    fields: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    collections: Mapping[str | tuple[type, str], Collection] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Constant:
    """JSON text that is the same for every row."""

    text: str


@dataclass(frozen=True, slots=True)
class Attribute:
    """A column, ``column_property`` or hybrid of the row's class, or of the subclass it is."""

    name: str
    value: Value
    subclass: "Mapper[Any] | None" = None
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Expression:
    """An SQL expression of the caller's."""

    expression: Any
    value: Value


@dataclass(frozen=True, slots=True)
class Relation:
    """Related rows, as an object or an array of objects."""

    relationship: Relationship
    node: "Node"
    collection: Collection
    subclass: "Mapper[Any] | None" = None
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Reach:
    """One value of related rows: of the one, or of each of many."""

    relationships: tuple[Relationship, ...]
    name: str
    value: Value
    collection: Collection


Source: TypeAlias = Constant | Attribute | Expression | Relation | Reach


@dataclass(frozen=True, slots=True)
class Node:
    """One object: its class, its keys in order, and the subclasses that some of them are read from."""

    mapper: "Mapper[Any]"
    sources: tuple[tuple[str, Source], ...]
    subclasses: tuple["Mapper[Any]", ...]
