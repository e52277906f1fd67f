"""Deferred and expired columns of an instance and of its peers, loaded together."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import select, tuple_
from sqlalchemy.orm import InstanceState, ORMExecuteState, Session, lazyload, load_only

from pitstop.sql.lineage import PEER_OF
from pitstop.sql.peers.ledger import Ledger

__all__ = ["load", "together"]

_CHUNK = 500
_MAX_PEERS = 5_000
_NOT_LOADED_ALONG = (True, "select", "dynamic", "write_only", "raise", "raise_on_sql", "noload")

State = InstanceState[Any]


def together(state: State, asked: frozenset[str]) -> frozenset[str]:
    """The columns to load for all; none where more than columns would be loaded.

    An expired instance is asked for its relationships too; those that are loaded eagerly come along.
    """
    mapper = state.mapper
    names = asked.intersection(mapper.column_attrs.keys())
    others = asked - names
    if others and state.load_options:
        return frozenset()
    relationships = mapper.relationships
    if all(name in relationships and relationships[name].lazy in _NOT_LOADED_ALONG for name in others):
        return names
    return frozenset()


def load(execution: ORMExecuteState, state: State, names: frozenset[str], ledger: Ledger) -> list[Any] | None:
    """The instance, with the columns loaded on it and its peers; None when it has none."""
    session = execution.session
    if not ledger.may_look():
        return None
    peers = _peers(session, state, names, ledger)
    if len(peers) < 2:
        return None
    instances = [peer.obj() for peer in peers]  # held, so that none is made anew
    loaders = [set(peer.callables) for peer in peers]
    expired = [peer for peer in peers if peer.expired]
    for start in range(0, len(peers), _CHUNK):
        _load_chunk(session, peers[start : start + _CHUNK], names)
    for peer, before in zip(peers, loaders, strict=True):
        for key in set(peer.callables) - before:  # of the columns that load_only() left out
            del peer.callables[key]
    for peer in expired:  # its relationships are no longer expired either
        peer.expired_attributes.clear()
    return instances[:1] if names <= state.dict.keys() else None


def _load_chunk(session: Session, peers: list[State], names: frozenset[str]) -> None:
    mapper = peers[0].mapper
    entity = mapper.class_
    keys = [getattr(entity, mapper.get_property_by_column(column).key) for column in mapper.primary_key]
    identities = [peer.key[1] for peer in peers if peer.key is not None]
    statement = select(entity).options(load_only(*_attributes(entity, names)), lazyload("*"))
    if len(keys) == 1:
        statement = statement.where(keys[0].in_([identity[0] for identity in identities]))
    else:
        statement = statement.where(tuple_(*keys).in_(identities))
    options = {PEER_OF: peers[0], "autoflush": False}
    session.execute(statement, execution_options=options).unique().all()


def _attributes(entity: type, names: frozenset[str]) -> Iterator[Any]:
    for name in sorted(names):
        yield getattr(entity, name)


def _peers(session: Session, state: State, names: frozenset[str], ledger: Ledger) -> list[State]:
    """The instance and its peers."""
    states = session.identity_map.all_states()
    found = [
        each
        for each in states
        if each.runid == state.runid and each is not state and _is_peer(each, state, names)
    ]
    ledger.looked(at=len(states), found=len(found))
    return [state, *found][:_MAX_PEERS]


def _is_peer(each: State, state: State, names: frozenset[str]) -> bool:
    return (
        each.manager is state.manager
        and each.expired == state.expired
        and each.key is not None
        and each.identity_token is None
        and names.isdisjoint(each.dict)
        and names.isdisjoint(each.committed_state)
        and each.obj() is not None
    )
