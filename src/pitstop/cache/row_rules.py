"""What is said of the rows of a model: which tags one has, as it is and as it was."""

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from string import Formatter
from typing import Any

from sqlalchemy import Table, inspect
from sqlalchemy.orm import Mapper, RelationshipProperty, Session

from pitstop.cache.request import family_of
from pitstop.cache.tracking import names_row, row_family, row_tag, table_tag
from pitstop.errors import SettingsError
from pitstop.transactions import UNKNOWN

__all__ = ["RowRule", "RowTags", "tracked_tags"]

RowTags = Callable[[Any], "str | Iterable[str]"] | Iterable[str]


class RowRule:
    """The tags of the rows of one model."""

    def __init__(self, model: type, tags: RowTags, columns: Iterable[str]) -> None:
        self.model = model
        mapper: Mapper[Any] = inspect(model)
        self.columns = _known_columns(mapper, columns)
        self.tables = frozenset(each.fullname for each in mapper.tables if isinstance(each, Table))
        self._tags = (
            tags if callable(tags) else _template_tags(tuple([tags] if isinstance(tags, str) else tags))
        )
        self.families = self._probed()

    def concerns(self, kind: str, instance: Any, before: Mapping[str, Any]) -> bool:
        """Whether a written row counts: of a changed one perhaps only some attributes do."""
        if not isinstance(instance, self.model):
            return False
        return kind != "dirty" or not self.columns or not self.columns.isdisjoint(before)

    def of(self, instance: Any) -> tuple[str, ...]:
        """The tags of a row."""
        found = self._tags(instance)
        return (found,) if isinstance(found, str) else tuple(found)

    def before(self, instance: Any, before: Mapping[str, Any]) -> tuple[str, ...]:
        """The tags of a row as it was; the families of them all where that is not known."""
        try:
            return self.of(_Before(instance, before))
        except _UnknownBefore:
            return self.families

    @cached_property
    def links(self) -> dict[str, list[RelationshipProperty[Any]]]:
        """The relationships by their association tables; at the first commit all models are known."""
        found: dict[str, list[RelationshipProperty[Any]]] = {}
        mapper: Mapper[Any] = inspect(self.model)
        for each in mapper.relationships if not self.columns else ():
            if isinstance(each.secondary, Table):
                found.setdefault(each.secondary.fullname, []).append(each)
        return found

    def linked(self, session: Session, table: str, rows: Iterable[Mapping[str, Any]]) -> set[str]:
        """The tags of the rows that an association table's rows belong to."""
        found: set[str] = set(self.families if table in self.tables else ())
        for each in self.links.get(table, ()):
            for row in rows:
                instance = _linked_instance(session, each, row)
                found.update(self.families if instance is None else self.of(instance))
        return found

    def _probed(self) -> tuple[str, ...]:
        """The families of its tags, which bulk writes invalidate: learnt from a row that could be any."""
        try:
            tags = self.of(_AnyRow())
        except Exception as error:
            raise SettingsError(
                f"tags of {self.model.__name__} cannot be made without a row ({error}): what a bulk write "
                "changes would not be known; write them as plain f-strings of attributes, or as templates: "
                '["order:{id}"]'
            ) from error
        return tuple(dict.fromkeys(map(family_of, tags)))


class _AnyRow:
    """Stands for any row: each attribute is one more such thing, and reads as a star."""

    def __getattr__(self, name: str) -> "_AnyRow":
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __str__(self) -> str:
        return "*"

    def __format__(self, spec: str) -> str:
        return "*"

    def __call__(self, *args: Any, **kwargs: Any) -> "_AnyRow":
        return self

    def __iter__(self) -> Any:
        return iter((self,))


def tracked_tags(instance: Any, before: Mapping[str, Any]) -> list[str]:
    """The automatic tags of a written row: itself, by its old key too, and the tables it lies in."""
    mapper = inspect(instance).mapper
    tables = [each.fullname for each in mapper.tables if isinstance(each, Table)]
    names = [mapper.get_property_by_column(each).key for each in mapper.primary_key]
    identity = mapper.primary_key_from_instance(instance)
    old = [before.get(name, value) for name, value in zip(names, identity, strict=True)]
    found = [tag for table in tables for tag in (table_tag(table), row_tag(table, identity))]
    if not all(map(names_row, [*mapper.primary_key] * 2, [*identity, *old])):  # UNKNOWN among them, or 5.00
        return found + [row_family(table) for table in tables]
    return found if old == identity else found + [row_tag(table, old) for table in tables]


def _linked_instance(
    session: Session, relation: RelationshipProperty[Any], row: Mapping[str, Any]
) -> Any | None:
    """The object of a session that a row of an association table belongs to; None if that is not known."""
    mapper = relation.parent
    values = {own: row.get(column.key or "") for own, column in relation.synchronize_pairs}
    identity = [values.get(each) for each in mapper.primary_key]
    return session.identity_map.get(mapper.identity_key_from_primary_key(tuple(identity)))


def _known_columns(mapper: Mapper[Any], columns: Iterable[str]) -> frozenset[str]:
    names = frozenset([columns] if isinstance(columns, str) else columns)
    # with none given the mappers need not be configured yet
    unknown = sorted(names.difference(each.key for each in mapper.column_attrs)) if names else []
    if unknown:
        raise SettingsError(
            f"columns of {mapper.class_.__name__} name {unknown[0]!r}, which is no mapped column of it"
        )
    return names


def _template_tags(templates: tuple[str, ...]) -> Callable[[Any], list[str]]:
    fields = {name for each in templates for _, name, _, _ in Formatter().parse(each) if name}

    def tags(instance: Any) -> list[str]:
        values = {name.partition(".")[0]: getattr(instance, name.partition(".")[0]) for name in fields}
        return [each.format_map(values) for each in templates]

    return tags


class _Before:
    """An instance as it was before a flush."""

    def __init__(self, instance: Any, before: Mapping[str, Any]) -> None:
        self._instance = instance
        self._before = before

    def __getattr__(self, name: str) -> Any:
        value = self._before[name] if name in self._before else getattr(self._instance, name)
        if value is UNKNOWN:
            raise _UnknownBefore(name)
        return value


class _UnknownBefore(Exception):
    """A tag depends on a value that was overwritten without having been loaded."""
