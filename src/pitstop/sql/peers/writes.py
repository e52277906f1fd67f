"""What a session has written, as far as that can change what a relationship loads."""

from collections.abc import Iterator
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Column, Table
from sqlalchemy.orm import ColumnProperty, InstanceState, Mapper, RelationshipProperty, Session
from sqlalchemy.orm.attributes import instance_state
from sqlalchemy.sql.expression import FromClause
from sqlalchemy.sql.selectable import SelectBase
from sqlalchemy.sql.visitors import iterate

__all__ = ["Watch", "Writes", "watch_of"]

Watch = frozenset[Any] | None
"""The tables whose rows and the columns whose values a relationship depends on; None for not known."""

_watches: WeakKeyDictionary[Any, Watch] = WeakKeyDictionary()


class Writes:
    """The writes of one session: flushes by table and column, all others as a whole."""

    __slots__ = ("_at", "_flushed", "era", "moment")

    def __init__(self) -> None:
        self.era = 0  # changes with whatever may change anything
        self.moment = 0  # counts flushes
        self._at: dict[Any, int] = {}
        self._flushed = False

    def unknown(self) -> None:
        """Something was written of which nothing is known, or a transaction ended."""
        self.era += 1
        self._at.clear()

    def flushed(self, session: Session) -> None:
        """A flush was done; must be called before the session forgets what it wrote."""
        self.moment += 1
        self._flushed = True
        if session.deleted:  # the database may delete further rows
            self.unknown()
            return
        for instance in session.new:
            self._mark(_inserted(instance_state(instance).manager.mapper))
        for instance in session.dirty:
            self._mark(_updated(instance_state(instance)))

    def part_ended(self) -> None:
        """A part of a transaction was done: a flush, or a bulk operation that is none."""
        if not self._flushed:
            self.unknown()
        self._flushed = False

    def touched(self, watch: Watch, *, era: int, moment: int) -> bool:
        """Whether what is watched may have changed since."""
        if era != self.era:
            return True
        if moment == self.moment:
            return False
        return watch is None or any(self._at.get(each, 0) > moment for each in watch)

    def _mark(self, written: Iterator[Any]) -> None:
        for each in written:
            self._at[each] = self.moment


def _inserted(mapper: Mapper[Any]) -> Iterator[Any]:
    yield from mapper.tables
    for prop in mapper.relationships:
        if prop.secondary is not None:
            yield prop.secondary


def _updated(state: InstanceState[Any]) -> Iterator[Any]:
    mapper = state.manager.mapper
    for key in state.committed_state:
        prop = mapper.attrs.get(key)
        if isinstance(prop, ColumnProperty):
            yield from prop.columns
        elif isinstance(prop, RelationshipProperty):
            if prop.secondary is not None:
                yield prop.secondary
            for pair in prop.local_remote_pairs or ():
                yield from pair
    for table in mapper.tables:
        for column in table.columns:
            if column.onupdate is not None or column.server_onupdate is not None:
                yield column


def watch_of(prop: "RelationshipProperty[Any]") -> Watch:
    """What the result of a relationship depends on."""
    if prop not in _watches:
        _watches[prop] = _watch_of(prop)
    return _watches[prop]


def _watch_of(prop: "RelationshipProperty[Any]") -> Watch:
    if prop.entity.is_aliased_class:
        return None
    tables: list[FromClause] = list(prop.mapper.tables)
    if prop.secondary is not None:
        tables.append(prop.secondary)
    expressions = [prop.primaryjoin, prop.secondaryjoin, *(prop.order_by or ())]
    columns = [each for expression in expressions if expression is not None for each in iterate(expression)]
    if any(isinstance(each, SelectBase) for each in columns) or not all(
        isinstance(each, Table) for each in tables
    ):
        return None
    if prop.mapper.polymorphic_on is not None:
        columns.append(prop.mapper.polymorphic_on)
    found = [_table_column(each) for each in columns if isinstance(each, Column)]
    return frozenset((*tables, *found))


def _table_column(column: Column[Any]) -> Any:
    """The column of the table, which expressions hold annotated copies of."""
    return column.table.c[column.key] if isinstance(column.table, Table) else column
