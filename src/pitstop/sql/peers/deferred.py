"""Deferred columns and SQL expressions of an instance and of its peers, loaded together.

The values are kept beside the instances, as those of relationships are: what an expression gives may
change with any row that is written.
"""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import InstanceState, ORMExecuteState
from sqlalchemy.orm.attributes import set_committed_value

from pitstop.sql.lineage import PEER_OF
from pitstop.sql.peers import columns
from pitstop.sql.peers.batch import Batch
from pitstop.sql.peers.kept import keep_columns
from pitstop.sql.peers.ledger import Ledger
from pitstop.sql.peers.writes import Watch

__all__ = ["load"]

State = InstanceState[Any]


def load(execution: ORMExecuteState, state: State, names: frozenset[str], ledger: Ledger) -> list[Any] | None:
    """The instance, with the attributes loaded on it and kept for its peers; None when it has none."""
    session = execution.session
    if state.expired or not ledger.may_look():
        return None
    others = [each for each in columns.peers(session, state, names, ledger)[1:] if not each.modified]
    if not others:
        return None
    ordered = sorted(names)
    rows = _rows(execution, state, [state, *others], ordered)
    mine = rows.get(_identity(state))
    if mine is None:
        return None
    batch = Batch(session, state, frozenset((state.runid,)), ledger.writes, _watch(state, ordered))
    for each in others:
        values = rows.get(_identity(each))
        if values is not None:
            keep_columns(batch, each, values)
    ledger.loaded((state.runid, state.mapper, names), batch)
    instance = state.obj()
    for name, value in mine.items():
        set_committed_value(instance, name, value)
    return [instance]


def _identity(state: State) -> tuple[Any, ...] | None:
    return None if state.key is None else tuple(state.key[1])


def _rows(
    execution: ORMExecuteState, state: State, states: list[State], names: list[str]
) -> dict[tuple[Any, ...] | None, dict[str, Any]]:
    entity = state.mapper.class_
    keys = columns.key_attributes(state.mapper)
    attributes = [getattr(entity, name) for name in names]
    rows: dict[tuple[Any, ...] | None, dict[str, Any]] = {}
    for chunk in columns.chunks(states):
        statement = select(*keys, *attributes).where(columns.is_one_of(keys, chunk))
        options = {PEER_OF: state, "autoflush": False}
        for row in execution.session.execute(statement, execution_options=options):
            rows[tuple(row[: len(keys)])] = dict(zip(names, row[len(keys) :], strict=True))
    return rows


def _watch(state: State, names: list[str]) -> Watch:
    mapper = state.mapper
    if any(columns.is_expression(mapper, name) for name in names):
        return None
    return frozenset(each for name in names for each in mapper.column_attrs[name].columns)
