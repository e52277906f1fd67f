"""Look-ups: what several fields read of the same related row is found once, beside the rows, by LATERAL."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, SelectBase, Subquery
from sqlalchemy.sql import visitors

from pitstop.sql.read_model.entity import adapted
from pitstop.sql.read_model.source import Attribute, Node, Reach, Relationship, Source

__all__ = ["Lookup", "shared_rows"]


def shared_rows(node: Node) -> list[tuple[Relationship, Node]]:
    """The relationships to one row of which several fields are read, and what is read of that row."""
    found: dict[Relationship, list[tuple[str, Source]]] = {}
    for key, source in node.sources:
        if isinstance(source, Reach) and not any(each.uselist for each in source.relationships):
            found.setdefault(source.relationships[0], []).append((key, _rest(source)))
    return [(each, Node(each.mapper, tuple(fields), ())) for each, fields in found.items() if len(fields) > 1]


def _rest(source: Reach) -> Source:
    """What is read of the first row on the way."""
    _, *further = source.relationships
    if further:
        return Reach(tuple(further), source.name, source.value, source.collection)
    return Attribute(source.name, source.value)


@dataclass(frozen=True, slots=True)
class Lookup:
    """One row that is related to each of others.

    Attributes:
        name: of the relationship.
        keys: that are read of it.
        row: a select of the row, without what relates it.
        criterion: what relates it to its owner.
        needs: the owner's columns in that.
    """

    name: str
    keys: frozenset[str]
    row: Select[Any]
    criterion: ColumnElement[bool]
    needs: Sequence[ColumnElement[Any]]

    @classmethod
    def of(
        cls, relationship: Relationship, node: Node, row: Select[Any], *, owner: Any, target: Any
    ) -> "Lookup":
        """The look-up of what a node has, in a select of the target."""
        criterion = getattr(owner, relationship.key).of_type(target).__clause_element__()
        local = sorted(relationship.local_columns, key=str)
        needs = [adapted(each, owner) for each in local]
        return cls(relationship.key, frozenset(key for key, _ in node.sources), row, criterion, needs)

    @property
    def is_movable(self) -> bool:
        """Whether the criterion means the same of found rows: a subquery in it may read the owner itself."""
        return not any(isinstance(each, SelectBase) for each in visitors.iterate(self.criterion))

    def beside(self) -> FromClause:
        """For a select that reads its owner."""
        return self._lateral(self.criterion)

    def beside_found(self, found: Subquery, names: Sequence[str]) -> FromClause:
        """For a select of rows that were found, and have what it needs under these names."""
        columns: dict[Any, Any] = {each: found.c[name] for each, name in zip(self.needs, names, strict=True)}

        def replace(element: Any, **_: Any) -> Any:
            return columns.get(element)

        return self._lateral(visitors.replacement_traverse(self.criterion, {}, replace))

    def _lateral(self, criterion: ColumnElement[bool]) -> FromClause:
        return self.row.where(criterion).limit(1).lateral(self.name)
