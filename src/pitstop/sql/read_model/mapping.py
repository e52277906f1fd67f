"""A response on a mapper: where each field of the tree comes from, and what cannot come from SQL."""

from typing import Any

from sqlalchemy import Select, inspect, literal
from sqlalchemy.ext.associationproxy import AssociationProxyExtensionType
from sqlalchemy.ext.hybrid import HybridExtensionType
from sqlalchemy.orm import ColumnProperty, Mapper, RelationshipProperty, SynonymProperty

from pitstop.errors import ReadModelError
from pitstop.sql.read_model.family import mismatch
from pitstop.sql.read_model.shape import Field, Many, Object, Refused, Scalar, Shape, Value
from pitstop.sql.read_model.source import (
    Attribute,
    Collection,
    Constant,
    Expression,
    Node,
    Options,
    Reach,
    Relation,
    Relationship,
    Source,
)

__all__ = ["map_shape"]

_KEY_BYTES = 63  # of a PostgreSQL identifier; a longer key would be cut


def map_shape(shape: Shape, mapper: "Mapper[Any]", options: Options) -> tuple[Node, list[str]]:
    """Find a source for every field.

    Returns:
        the tree, and what is wrong with it, each naming model and field and saying what to do. The tree is
        whole only when nothing is wrong.

    Raises:
        ReadModelError: an option names what is not there.
    """
    found = _Mapping(options)
    node = found.node(shape, mapper, "")
    unused = (set(options.fields) | set(options.collections)) - found.used
    if unused and not found.problems:
        names = sorted(each if isinstance(each, str) else f"{each[0].__name__}.{each[1]}" for each in unused)
        raise ReadModelError(f"{shape.name} has no {', '.join(names)}: name fields as the response does")
    return node, found.problems


class _Mapping:
    """One walk over a tree."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self.used: set[Any] = set()
        self.problems: list[str] = []

    def node(self, shape: Shape, mapper: "Mapper[Any]", path: str) -> Node:
        sources = [(key, Constant(text)) for key, text in shape.constants]
        sources += [(each.key, self._source(shape, each, mapper, path + each.name)) for each in shape.fields]  # type: ignore[misc]
        self._check_keys(shape, [key for key, _ in sources])
        subclasses = {_joined_for(source, mapper) for _, source in sources} - {mapper}
        return Node(mapper, tuple(sources), tuple(sorted(subclasses, key=lambda each: each.class_.__name__)))

    def _check_keys(self, shape: Shape, keys: list[str]) -> None:
        if not keys:
            self.problems.append(f"{shape.name} has no field: there is nothing to read")
        for key in keys:
            if len(key.encode()) > _KEY_BYTES:
                self.problems.append(
                    f"{shape.name}: key {key!r} is longer than 63 bytes: use a shorter alias"
                )
            elif keys.count(key) > 1:
                self.problems.append(
                    f"{shape.name}: several fields have the key {key!r}: use different aliases"
                )

    def _source(self, shape: Shape, field: Field, mapper: "Mapper[Any]", path: str) -> Source:
        try:
            if path in self._options.fields:
                self.used.add(path)
                return self._given(self._options.fields[path], field, mapper, path)
            return self._found(field, mapper, path)
        except _Impossible as problem:
            self.problems.append(f"{shape.name}.{field.name} {problem}")
            return Constant("null")

    def _given(self, steps: tuple[Any, ...], field: Field, mapper: "Mapper[Any]", path: str) -> Source:
        """What ``.field()`` says."""
        *before, last = steps
        value: Value = Scalar("any") if isinstance(field.value, Refused) else field.value
        if not before:
            return _expression(last, value)
        relationships = tuple(each.property for each in before)
        for each in relationships:
            if not mapper.isa(each.parent):
                raise _Impossible(
                    f"is read by {each}, which is no relationship of {mapper.class_.__name__}: use one"
                )
            mapper = each.mapper
        return self._reach(relationships, last.key, value, path)

    def _found(self, field: Field, mapper: "Mapper[Any]", path: str) -> Source:
        for first, *rest in field.sources:
            owner = _owner(mapper, first)
            if owner is not None:
                subclass = None if owner is mapper else owner
                descriptor = owner.all_orm_descriptors[first]
                return self._described(descriptor, owner, first, rest, field, path, subclass)
            if hasattr(mapper.class_, first):
                raise _Impossible(_not_sql(mapper.class_, first))
        return self._default(field, mapper)

    def _default(self, field: Field, mapper: "Mapper[Any]") -> Source:
        if isinstance(field.value, Refused):
            raise _Impossible(f"{field.value.reason}: {_GIVE}")
        if field.default is not None:
            return Constant(field.default)
        if field.default_problem:
            raise _Impossible(f"{field.default_problem}: {_GIVE}")
        raise _Impossible(f"is no attribute of {mapper.class_.__name__}: {_GIVE}")

    def _described(
        self,
        descriptor: Any,
        mapper: "Mapper[Any]",
        name: str,
        rest: list[str],
        field: Field,
        path: str,
        subclass: "Mapper[Any] | None",
    ) -> Source:
        if isinstance(field.value, Refused):
            raise _Impossible(f"{field.value.reason}: {_GIVE}")
        if descriptor.extension_type is AssociationProxyExtensionType.ASSOCIATION_PROXY:
            relationship = mapper.relationships[descriptor.target_collection]
            return self._reach((relationship,), descriptor.value_attr, field.value, path)
        property_ = _property(mapper, name)
        if rest:
            return self._path(mapper, [name, *rest], field.value, path)
        if isinstance(property_, RelationshipProperty):
            return self._relation(property_, field, path, subclass)
        if property_ is not None and not isinstance(property_, ColumnProperty):
            raise _Impossible(f"is a {type(property_).__name__} of {mapper.class_.__name__}: {_GIVE}")
        if property_ is not None:
            name = property_.key
        type_ = _type_of(mapper, name, descriptor.extension_type is HybridExtensionType.HYBRID_PROPERTY)
        _fail_if(mismatch(field.value, type_))
        return Attribute(name, field.value, subclass, field.default)

    def _relation(
        self, relationship: Relationship, field: Field, path: str, subclass: "Mapper[Any] | None"
    ) -> Source:
        _fail_if(_cardinality(relationship, field.value))
        item = field.value.item if isinstance(field.value, Many) else field.value
        assert isinstance(item, Object)
        collection = self._collection(relationship, path)
        node = self.node(item.shape, relationship.mapper, f"{path}.")
        return Relation(relationship, node, collection, subclass, field.default)

    def _collection(self, relationship: Relationship, path: str) -> Collection:
        for key in (path, (relationship.parent.class_, relationship.key)):
            if key in self._options.collections:
                self.used.add(key)
                if not relationship.uselist:
                    raise _Impossible("is no collection: order, limit and where are for collections")
                return self._options.collections[key]
        return Collection()

    def _path(self, mapper: "Mapper[Any]", names: list[str], value: Value, path: str) -> Source:
        """An ``AliasPath``: relationships to one, and an attribute at their end."""
        relationships: list[Relationship] = []
        for each in names[:-1]:
            property_ = _property(mapper, each)
            if not isinstance(property_, RelationshipProperty) or property_.uselist:
                raise _Impossible(
                    f"has the alias path {'.'.join(names)}, in which {each} is no relation to one: {_GIVE}"
                )
            relationships.append(property_)
            mapper = property_.mapper
        return self._reach(tuple(relationships), names[-1], value, path)

    def _reach(self, relationships: tuple[Relationship, ...], name: str, value: Value, path: str) -> Source:
        several = any(each.uselist for each in relationships)
        if several and not isinstance(value, Many):
            raise _Impossible(f"is one value, but {relationships[0]} gives several: make it a list")
        item = value.item if several and isinstance(value, Many) else value
        if isinstance(item, Object):
            raise _Impossible(f"is an object, but {name} is read of it: make it a plain value")
        target = relationships[-1].mapper
        _fail_if(mismatch(item, _type_of(target, name, hybrid=_property(target, name) is None)))
        last = next((each for each in reversed(relationships) if each.uselist), relationships[-1])
        return Reach(relationships, name, value, self._collection(last, path))


def _expression(given: Any, value: Value) -> Expression:
    if isinstance(given, Select):
        given = given.scalar_subquery()
    elif not hasattr(given, "type"):
        given = literal(given)
    if isinstance(value, Object) or (isinstance(value, Many) and isinstance(value.item, Object)):
        return Expression(given, Scalar("json"))  # it makes the whole of it
    _fail_if(mismatch(value, given.type))
    return Expression(given, value)


def _joined_for(source: Source, mapper: "Mapper[Any]") -> "Mapper[Any]":
    """The subclass whose tables are joined to those of the mapper for a source; the mapper where none is."""
    found = source.subclass if isinstance(source, (Attribute, Relation)) else None
    if isinstance(source, Attribute):
        while found is not None and found.single:
            found = found.inherits
    return found or mapper


class _Impossible(Exception):
    """Completes "Model.field ..."."""


def _owner(mapper: "Mapper[Any]", name: str) -> "Mapper[Any] | None":
    """The class that has an attribute of that name, or the one subclass that has."""
    found: Mapper[Any] | None = None
    for each in mapper.self_and_descendants:  # those above first
        if name in each.all_orm_descriptors and not (found and each.isa(found)):
            if found is not None:
                both = f"{found.class_.__name__} and {each.class_.__name__}"
                raise _Impossible(f"is an attribute of both {both}: {_GIVE}")
            found = each
    return found


_GIVE = "give an SQL expression for it with .field()"
_GIVE_COLUMN = "give a column of it with .field(name, relationship, column)"


def _fail_if(reason: str) -> None:
    if reason:
        raise _Impossible(reason if ": " in reason else f"{reason}: {_GIVE}")


def _property(mapper: "Mapper[Any]", name: str) -> Any:
    """The mapped property of that name, through synonyms; None for a hybrid."""
    found = mapper.attrs.get(name) or mapper.synonyms.get(name)
    while isinstance(found, SynonymProperty):
        found = mapper.attrs.get(found.name) or mapper.synonyms.get(found.name)
    return found


def _type_of(mapper: "Mapper[Any]", name: str, hybrid: bool) -> Any:
    try:
        return getattr(mapper.class_, name).type
    except Exception as error:  # whatever the hybrid's own code does on a class
        what = "a hybrid without an SQL form" if hybrid else "no column"
        raise _Impossible(f"is {what} of {mapper.class_.__name__} ({error}): {_GIVE}") from error


def _not_sql(owner: type, name: str) -> str:
    what = "a python property" if isinstance(getattr(owner, name), property) else "a python attribute"
    return f"is {what} of {owner.__name__}: {_GIVE}, or make it a hybrid or a column_property"


def _cardinality(relationship: Relationship, value: Value) -> str:
    if inspect(relationship.entity).is_aliased_class:
        return f"is read by {relationship}, a relationship to an alias: {_GIVE}"
    many = isinstance(value, Many)
    item = value.item if isinstance(value, Many) else value
    if many and not relationship.uselist:
        return f"is a list in the response, but {relationship} is one: make it an object"
    if not isinstance(item, Object):
        return f"is no object in the response, but {relationship} is: {_GIVE_COLUMN}"
    if relationship.uselist and not many:
        return f"is one object in the response, but {relationship} is a collection: make it a list"
    made = relationship.collection_class
    if made is not None and not (isinstance(made, type) and issubclass(made, (list, set))):
        keyed = getattr(made, "__name__", "") != "ordering_list" and isinstance(_example(made), dict)
        return f"is a list in the response, but {relationship} is a dict: {_GIVE}" if keyed else ""
    return ""


def _example(factory: Any) -> object:
    return factory()
