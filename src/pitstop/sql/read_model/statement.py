"""The statement: a tree of sources becomes nested selects, each row one JSON object that PostgreSQL makes."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Alias, ColumnElement, Select, and_, case, func, inspect, select, true
from sqlalchemy.orm import ColumnProperty, RelationshipDirection
from sqlalchemy.sql import visitors

from pitstop.sql.read_model.codec import json_constant, written
from pitstop.sql.read_model.entity import adapted, alias_of, free_name, part_of, primary_key
from pitstop.sql.read_model.lookup import Lookup, shared_rows
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

__all__ = ["Row", "array_of", "object_of"]

Json = ColumnElement[Any]
_EMPTY = "[]"


class Row:
    """What a select has of each row, to become its object.

    Args:
        node: the object.
        entity: what the select reads.

    Attributes:
        columns: one for each key that is read of the row alone, by its name, and what look-ups need of it.
    """

    def __init__(self, node: Node, entity: Any) -> None:
        self._keys = [key for key, _ in node.sources]
        self._lookups = _lookups(node, entity)
        self.columns = _columns(node, entity, self._lookups)
        self._needs = [[self._add(each) for each in lookup.needs] for lookup in self._lookups]

    def _add(self, column: Any) -> str:
        name = free_name(column.key, [*self._keys, *(each.name for each in self.columns)])
        self.columns.append(column.label(name))
        return name

    def of(self, rows: Select[Any], *more: str) -> Select[Any]:
        """The rows with a column for each key, and more of theirs; what is looked up stands beside them.

        Args:
            rows: in their order and number, with ``columns``.
            more: names of others of their columns.
        """
        if not self._lookups:
            return rows
        joined: Any = rows.subquery(free_name("found", [each.name for each in self._lookups]))
        found, columns = joined, dict(joined.c)
        for lookup, names in zip(self._lookups, self._needs, strict=True):
            lateral = lookup.beside_found(found, names)
            joined = joined.outerjoin(lateral, true())
            columns |= dict(lateral.c)
        return select(*(columns[name] for name in (*self._keys, *more))).select_from(joined)

    @property
    def names(self) -> list[str]:
        """The keys, and all other columns."""
        return list(dict.fromkeys([*self._keys, *(each.name for each in self.columns)]))

    @property
    def expressions(self) -> list[Any]:
        """All that may have parameters in it."""
        return [*self.columns, *(each.row for each in self._lookups)]


def _lookups(node: Node, entity: Any) -> list[Lookup]:
    found = []
    for relationship, inner in shared_rows(node):
        target = alias_of(relationship.mapper)
        found.append(Lookup.of(relationship, inner, _single(inner, target), owner=entity, target=target))
    return [each for each in found if each.is_movable]


def _single(node: Node, entity: Any) -> Select[Any]:
    """A select of a row that is one: what is looked up may be joined to it."""
    lookups = _lookups(node, entity)
    rows = select(*_columns(node, entity, lookups)).select_from(entity)
    for each in lookups:
        lateral = each.beside()
        rows = rows.outerjoin(lateral, true()).add_columns(*lateral.c)
    return rows


def _columns(node: Node, entity: Any, lookups: Sequence[Lookup]) -> list[Any]:
    """A labelled column for each key that is not looked up."""
    elsewhere = {key for each in lookups for key in each.keys}
    return [_json(source, node, entity).label(key) for key, source in node.sources if key not in elsewhere]


def array_of(rows: Select[Any]) -> Json:
    """The rows of a select as a JSON array, in their order; an empty one where there is none."""
    table = _table(rows)
    return func.coalesce(func.json_agg(table.table_valued()), json_constant(_EMPTY))


def object_of(rows: Select[Any]) -> Json:
    """The row of a select as a JSON object."""
    return func.row_to_json(_table(rows).table_valued())


def _table(rows: Select[Any]) -> Any:
    """A subquery whose name no column has, or that would be meant instead of the row."""
    return rows.subquery(free_name("item", [each.name for each in rows.selected_columns]))


def _json(source: Any, node: Node, entity: Any) -> Json:
    if isinstance(source, Constant):
        return json_constant(source.text)
    if isinstance(source, Expression):
        return written(adapted(source.expression, entity), source.value)
    if isinstance(source, Reach):
        return _reach(source, entity)
    if isinstance(source, Attribute):
        found = written(_attribute(source, entity), source.value)
    else:
        found = _relation(source, part_of(entity, source.subclass))
    return _of_subclass(found, source, node, entity) if source.subclass else found


def _attribute(source: Attribute, entity: Any) -> Any:
    if source.subclass is None or not source.subclass.single:
        return getattr(part_of(entity, source.subclass), source.name)
    # Read as an attribute of the subclass, it would make some versions of SQLAlchemy select its rows only.
    found = source.subclass.attrs.get(source.name)
    if isinstance(found, ColumnProperty):
        return adapted(found.columns[0], entity)
    return adapted(getattr(source.subclass.class_, source.name), entity)


def _of_subclass(found: Json, source: Attribute | Relation, node: Node, entity: Any) -> Json:
    """The value in rows of the subclass, the default in others."""
    assert source.subclass is not None
    identities = [each.polymorphic_identity for each in source.subclass.self_and_descendants]
    discriminator = adapted(node.mapper.polymorphic_on, entity)
    default = json_constant(source.default if source.default is not None else "null")
    return case((discriminator.in_(identities), func.to_json(found)), else_=default)


def _relation(source: Relation, owner: Any) -> Json:
    """A scalar subquery: the related rows as array or object."""
    relationship = source.relationship
    target = alias_of(source.node.mapper, source.node.subclasses)
    row = Row(source.node, target)
    rows = _joined(select(*row.columns), relationship, owner, target)
    if relationship.uselist:
        rows = _arranged(rows, relationship, target, source.collection)
        return select(array_of(row.of(rows))).scalar_subquery()
    if relationship.direction is not RelationshipDirection.MANYTOONE:
        rows = rows.limit(1)
    return select(object_of(row.of(rows))).scalar_subquery()


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
        target = alias_of(each.mapper)
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
        rows = rows.where(adapted(and_(*collection.where), target))
    order = collection.order_by if collection.order_by is not None else relationship.order_by
    if not order:
        return rows, primary_key(target)
    secondary = _secondary(rows, relationship)
    return rows, [adapted(each, target, secondary) for each in order]
