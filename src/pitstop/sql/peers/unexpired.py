"""Expired columns, and those of a subclass that the query left out: set on all instances at once.

SQLAlchemy gives no way to keep such a value beside the instance. The instance itself is the one that
writes such a column, so what it holds is what the ordinary load would bring; other ways to write are
told in the documentation.
"""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import InstanceState, ORMExecuteState, Session, lazyload, load_only

from pitstop.sql.lineage import PEER_OF
from pitstop.sql.peers.columns import chunks, is_one_of, key_attributes, peers
from pitstop.sql.peers.ledger import Ledger

__all__ = ["load"]

State = InstanceState[Any]


def load(execution: ORMExecuteState, state: State, names: frozenset[str], ledger: Ledger) -> list[Any] | None:
    """The instance, with the columns loaded on it and its peers; None when it has none."""
    session = execution.session
    if not ledger.may_look():
        return None
    found = peers(session, state, names, ledger)
    if len(found) < 2:
        return None
    instances = [each.obj() for each in found]  # held, so that none is made anew
    loaders = [set(each.callables) for each in found]
    expired = [each for each in found if each.expired]
    for chunk in chunks(found):
        _load_chunk(session, chunk, names)
    for each, before in zip(found, loaders, strict=True):
        for key in set(each.callables) - before:  # of the columns that load_only() left out
            del each.callables[key]
    for each in expired:  # its relationships are no longer expired either
        each.expired_attributes.difference_update(each.mapper.relationships.keys())
    return instances[:1] if names <= state.dict.keys() else None


def _load_chunk(session: Session, states: list[State], names: frozenset[str]) -> None:
    mapper = states[0].mapper
    attributes = [getattr(mapper.class_, name) for name in sorted(names)]
    statement = select(mapper.class_).options(load_only(*attributes), lazyload("*"))
    statement = statement.where(is_one_of(key_attributes(mapper), states))
    options = {PEER_OF: states[0], "autoflush": False}
    session.execute(statement, execution_options=options).unique().all()
