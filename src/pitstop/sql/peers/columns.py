"""Which columns of which instances are loaded together when one instance's are loaded on demand."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from sqlalchemy import Column, tuple_
from sqlalchemy.orm import InstanceState, Mapper, Session

from pitstop.sql.peers import inside
from pitstop.sql.peers.ledger import Ledger

__all__ = [
    "chunks",
    "is_expression",
    "is_one_of",
    "key_attributes",
    "may_be_orphan",
    "may_orphan",
    "peers",
    "together",
]

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


@cache
def may_orphan(mapper: Mapper[Any]) -> bool:
    """Whether children of such an instance are deleted when they leave it.

    Of an expired parent SQLAlchemy cannot tell whether a child left it: to load one early would delete
    what the ordinary load lets live.
    """
    return any(
        relationship.cascade.delete_orphan
        for each in mapper.base_mapper.self_and_descendants
        for relationship in each.relationships
    )


@cache
def may_be_orphan(mapper: Mapper[Any]) -> bool:
    """Whether such an instance is deleted when it leaves its parent, which an expired one does not know."""
    return any(
        relationship.cascade.delete_orphan and relationship.mapper.base_mapper is mapper.base_mapper
        for each in mapper.registry.mappers
        for relationship in each.relationships
    )


def is_expression(mapper: Mapper[Any], name: str) -> bool:
    """Whether an attribute is something other than a column of the mapper's tables."""
    return not all(isinstance(each, Column) for each in mapper.column_attrs[name].columns)


def chunks(states: list[State]) -> Iterator[list[State]]:
    """The instances of one statement after the other."""
    for start in range(0, len(states), inside.CHUNK):
        yield states[start : start + inside.CHUNK]


def key_attributes(mapper: Mapper[Any]) -> list[Any]:
    """The attributes of the primary key."""
    return [getattr(mapper.class_, mapper.get_property_by_column(key).key) for key in mapper.primary_key]


def is_one_of(keys: list[Any], states: list[State]) -> Any:
    """The criterion that a row is that of one of the instances."""
    identities = [each.key[1] for each in states if each.key is not None]
    if len(keys) == 1:
        return keys[0].in_([identity[0] for identity in identities])
    return tuple_(*keys).in_(identities)


def peers(session: Session, state: State, names: frozenset[str], ledger: Ledger) -> list[State]:
    """The instance and its peers: those of the same class and result that have none of the columns."""
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
        and each.load_path == state.load_path
        and each.expired == state.expired
        and each.key is not None
        and each.identity_token is None
        and names.isdisjoint(each.dict)
        and names.isdisjoint(each.committed_state)
        and each.obj() is not None
    )
