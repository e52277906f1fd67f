"""Entities: the mapped classes and aliases that selects read from, and expressions as they read on them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Alias, ColumnElement, inspect
from sqlalchemy.orm import Mapper, aliased, with_polymorphic
from sqlalchemy.sql.util import ClauseAdapter

from pitstop.sql.read_model.source import Node

__all__ = ["adapted", "alias_of", "free_name", "part_of", "primary_key", "root_entity"]


def root_entity(node: Node) -> Any:
    """What the outermost select reads: the class itself, so that criteria mean what they say."""
    if node.subclasses:
        return with_polymorphic(node.mapper.class_, [each.class_ for each in node.subclasses])
    return node.mapper.class_


def alias_of(mapper: "Mapper[Any]", subclasses: Sequence["Mapper[Any]"] = ()) -> Any:
    """What a select of related rows reads."""
    if subclasses:
        return with_polymorphic(mapper.class_, [each.class_ for each in subclasses], aliased=True, flat=True)
    return aliased(mapper.class_, flat=True)


def part_of(entity: Any, subclass: "Mapper[Any] | None") -> Any:
    """The entity as one of its subclasses."""
    return entity if subclass is None else getattr(entity, subclass.class_.__name__)


def primary_key(entity: Any) -> list[ColumnElement[Any]]:
    """The columns of an entity's primary key."""
    mapper = inspect(entity).mapper
    return [getattr(entity, mapper.get_property_by_column(each).key) for each in mapper.primary_key]


def adapted(expression: Any, entity: Any, secondary: Alias | None = None) -> Any:
    """An expression on classes, as it reads on an alias; on the class itself as it is."""
    if hasattr(expression, "__clause_element__"):
        expression = expression.__clause_element__()
    found = inspect(entity)
    if getattr(found, "is_aliased_class", False):
        expression = ClauseAdapter(found.selectable).traverse(expression)
    if secondary is not None:
        expression = ClauseAdapter(secondary).traverse(expression)
    return expression


def free_name(name: str, taken: Sequence[str]) -> str:
    """The name, or one like it that is not taken."""
    while name in taken:
        name += "_"
    return name
