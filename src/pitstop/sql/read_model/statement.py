"""The statement: a tree of sources becomes nested selects, each row one JSON object that PostgreSQL makes."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Alias, ColumnElement, Select, and_, case, func, inspect, select
from sqlalchemy.orm import ColumnProperty, Mapper, RelationshipDirection, aliased, with_polymorphic
from sqlalchemy.sql import visitors
from sqlalchemy.sql.util import ClauseAdapter

from pitstop.sql.read_model.codec import json_constant, written
from pitstop.sql.read_model.shape import Many, Value
from pitstop.sql.read_model.source import (
    Attribute,
    Collection,
    Constant,
    Expression,
    Node,
    Reach,
    Relation,
    Relationship,
)

__all__ = ["array_of", "free_name", "json_columns", "object_of", "primary_key", "root_entity"]

Json = ColumnElement[Any]
_EMPTY = "[]"


def root_entity(node: Node) -> Any:
    """What the outermost select reads: the class itself, so that criteria mean what they say."""
    if node.subclasses:
        return with_polymorphic(node.mapper.class_, [each.class_ for each in node.subclasses])
    return node.mapper.class_


def json_columns(node: Node, entity: Any) -> list[Any]:
    """One labelled column for each key."""
    return [_json(source, node, entity).label(key) for key, source in node.sources]


def array_of(rows: Select[Any]) -> Json:
    """The rows of a select as a JSON array, in their order; an empty one where there is none."""
    table = _table(rows)
    return func.coalesce(func.json_agg(table.table_valued()), json_constant(_EMPTY))


def object_of(rows: Select[Any]) -> Json:
    """The row of a select as a JSON object."""
    return func.row_to_json(_table(rows).table_valued())


def primary_key(entity: Any) -> list[ColumnElement[Any]]:
    """The columns of an entity's primary key."""
    mapper = inspect(entity).mapper
    return [getattr(entity, mapper.get_property_by_column(each).key) for each in mapper.primary_key]


def free_name(name: str, taken: Sequence[str]) -> str:
    """The name, or one like it that is not taken."""
    while name in taken:
        name += "_"
    return name


def _table(rows: Select[Any]) -> Any:
    """A subquery whose name no column has, or that would be meant instead of the row."""
    return rows.subquery(free_name("item", [each.name for each in rows.selected_columns]))


def _json(source: Any, node: Node, entity: Any) -> Json:
    if isinstance(source, Constant):
        return json_constant(source.text)
    if isinstance(source, Expression):
        return written(_adapted(source.expression, entity), source.value)
    if isinstance(source, Reach):
        return _reach(source, entity)
    if isinstance(source, Attribute):
        found = written(_attribute(source, entity), source.value)
    else:
        found = _relation(source, _part(entity, source.subclass))
    return _of_subclass(found, source, node, entity) if source.subclass else found


def _attribute(source: Attribute, entity: Any) -> Any:
    if source.subclass is None or not source.subclass.single:
        return getattr(_part(entity, source.subclass), source.name)
    # Read as an attribute of the subclass, it would make some versions of SQLAlchemy select its rows only.
    found = source.subclass.attrs.get(source.name)
    if isinstance(found, ColumnProperty):
        return _adapted(found.columns[0], entity)
    return _adapted(getattr(source.subclass.class_, source.name), entity)


def _part(entity: Any, subclass: "Mapper[Any] | None") -> Any:
    return entity if subclass is None else getattr(entity, subclass.class_.__name__)


def _of_subclass(found: Json, source: Attribute | Relation, node: Node, entity: Any) -> Json:
    """The value in rows of the subclass, the default in others."""
    assert source.subclass is not None
    identities = [each.polymorphic_identity for each in source.subclass.self_and_descendants]
    discriminator = _adapted(node.mapper.polymorphic_on, entity)
    default = json_constant(source.default if source.default is not None else "null")
    return case((discriminator.in_(identities), func.to_json(found)), else_=default)


def _relation(source: Relation, owner: Any) -> Json:
    target = _alias(source.node.mapper, source.node.subclasses)
    rows = select(*json_columns(source.node, target))
    return _related(source.relationship, owner, target, rows, source.collection)


def _related(
    relationship: Relationship, owner: Any, target: Any, rows: Select[Any], collection: Collection
) -> Json:
    """A scalar subquery: the related rows as array or object."""
    rows = _joined(rows, relationship, owner, target)
    if relationship.uselist:
        return select(array_of(_arranged(rows, relationship, target, collection))).scalar_subquery()
    if relationship.direction is not RelationshipDirection.MANYTOONE:
        rows = rows.limit(1)
    return select(object_of(rows)).scalar_subquery()


def _joined(rows: Select[Any], relationship: Relationship, owner: Any, target: Any) -> Select[Any]:
    """Only the rows of the owner's; everything but the target itself is of the selects around."""
    attribute = getattr(owner, relationship.key).of_type(target)
    return rows.where(attribute.__clause_element__()).correlate_except(inspect(target).selectable)


def _arranged(
    rows: Select[Any], relationship: Relationship, target: Any, collection: Collection
) -> Select[Any]:
    """With what is asked of the collection, or the relationship's own order."""
    rows, order = _ordered(rows, relationship, target, collection)
    return rows.order_by(*order).limit(collection.limit)


def _secondary(rows: Select[Any], relationship: Relationship) -> Alias | None:
    """The alias that the criterion of a many-to-many gave to the table between."""
    if relationship.secondary is None or rows.whereclause is None:
        return None
    for each in visitors.iterate(rows.whereclause):
        table = getattr(each, "table", None)
        if isinstance(table, Alias) and table.element is relationship.secondary:
            return table
    return None


def _reach(source: Reach, owner: Any) -> Json:
    """One value of each related row: through relationships to one, or of all rows of many."""
    value: Value = source.value
    several = any(each.uselist for each in source.relationships)
    if several and isinstance(value, Many):
        value = value.item
    rows, target, order = _walk(source.relationships, owner, source.collection)
    leaf = written(getattr(target, source.name), value)
    rows = rows.add_columns(leaf.label("value"))
    if not several:
        return rows.limit(1).scalar_subquery()
    values = rows.order_by(*order).limit(source.collection.limit).subquery("item")
    return select(func.coalesce(func.json_agg(values.c.value), json_constant(_EMPTY))).scalar_subquery()


def _walk(
    relationships: Sequence[Relationship], owner: Any, collection: Collection
) -> tuple[Select[Any], Any, list[Any]]:
    """A select of nothing yet along relationships, its last entity, and its order."""
    rows: Select[Any] = select()
    order: list[Any] = []
    targets = []
    for number, each in enumerate(relationships):
        target = _alias(each.mapper, ())
        targets.append(inspect(target).selectable)
        rows = rows.where(getattr(owner, each.key).of_type(target).__clause_element__())
        if each.uselist:
            last = not any(other.uselist for other in relationships[number + 1 :])
            rows, by = _ordered(rows, each, target, collection if last else Collection())
            order += by
        owner = target
    return rows.correlate_except(*targets), owner, order


def _ordered(
    rows: Select[Any], relationship: Relationship, target: Any, collection: Collection
) -> tuple[Select[Any], list[Any]]:
    if collection.where:
        rows = rows.where(_adapted(and_(*collection.where), target))
    order = collection.order_by if collection.order_by is not None else relationship.order_by
    if not order:
        return rows, primary_key(target)
    secondary = _secondary(rows, relationship)
    return rows, [_adapted(each, target, secondary) for each in order]


def _alias(mapper: "Mapper[Any]", subclasses: Sequence["Mapper[Any]"]) -> Any:
    if subclasses:
        return with_polymorphic(mapper.class_, [each.class_ for each in subclasses], aliased=True, flat=True)
    return aliased(mapper.class_, flat=True)


def _adapted(expression: Any, entity: Any, secondary: Alias | None = None) -> Any:
    """An expression on classes, as it reads on an alias; on the class itself as it is."""
    if hasattr(expression, "__clause_element__"):
        expression = expression.__clause_element__()
    found = inspect(entity)
    if getattr(found, "is_aliased_class", False):
        expression = ClauseAdapter(found.selectable).traverse(expression)
    if secondary is not None:
        expression = ClauseAdapter(secondary).traverse(expression)
    return expression
