"""The relationship of an instance and of its peers, loaded together."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy.orm import InstanceState, ORMExecuteState, RelationshipProperty, Session
from sqlalchemy.orm.util import LoaderCriteriaOption

from pitstop.sql.peers import inside
from pitstop.sql.peers.batch import Batch
from pitstop.sql.peers.kept import is_free, keep, keep_target
from pitstop.sql.peers.ledger import Ledger
from pitstop.sql.peers.writes import Watch, watch_of

__all__ = ["load"]

_MAX_PEERS = 5_000

State = InstanceState[Any]
Relationship = RelationshipProperty[Any]


def load(execution: ORMExecuteState, state: State, prop: Relationship, ledger: Ledger) -> list[Any] | None:
    """What the lazy load of an instance brings, with the same kept for its peers; None when it has none."""
    if prop.lazy in ("dynamic", "write_only") or not is_free(state, prop.key):
        return None
    session = execution.session
    if state.modified or state.expired or not ledger.may_look():
        return None
    peers = _peers(session, state, prop, ledger)
    batch = Batch(session, state, ledger.writes, _watch(execution, prop))
    if inside.is_use_get(prop) and (keys := _target_keys(prop)) is not None:
        found = _load_targets(execution, prop, state, _by_target(session, prop, keys, peers), batch)
    else:
        found = _load_values(execution, prop, peers, batch)
    if found is not None:
        ledger.loaded((state.runid, prop), batch)
    return found


def _load_values(
    execution: ORMExecuteState, prop: Relationship, peers: list[State], batch: Batch
) -> list[Any] | None:
    if len(peers) < 2:
        return None
    mine, *others = inside.load_related(execution, prop, peers)
    keep(batch, prop, peers[1:], others)
    return _as_rows(prop, mine)


def _load_targets(
    execution: ORMExecuteState, prop: Relationship, state: State, groups: dict[Any, list[State]], batch: Batch
) -> list[Any] | None:
    """Load each target once that is not in the session, for one of those who refer to it."""
    if len(groups) < 2 or state is not next(iter(groups.values()))[0]:
        return None
    targets = inside.load_related(execution, prop, [group[0] for group in groups.values()])
    for group, target in zip(groups.values(), targets, strict=True):
        if target is not None:
            keep_target(batch, prop, [peer for peer in group if peer is not state], target)
    return _as_rows(prop, targets[0])


def _as_rows(prop: Relationship, value: Any) -> list[Any]:
    if prop.uselist:
        return list(value)
    return [] if value is None else [value]


def _peers(session: Session, state: State, prop: Relationship, ledger: Ledger) -> list[State]:
    """The instance and its peers: those that stand behind it first, as code walks on."""
    states = session.identity_map.all_states()
    run = state.runid
    found = [each for each in states if each.runid == run and _is_peer(each, state, prop)]
    ledger.looked(at=len(states), found=len(found) - 1)
    if state not in found:
        return []
    at = found.index(state)
    return [*found[at:], *found[:at]][:_MAX_PEERS]


def _is_peer(each: State, state: State, prop: Relationship) -> bool:
    path: Any = each.load_path
    return (
        not each.modified
        and not each.expired
        and (path is state.load_path or path == state.load_path)
        and (each.manager is state.manager or each.manager.mapper.isa(prop.parent))
        and prop.key not in each.dict
        and (not each.callables or is_free(each, prop.key))
        and each.identity_token is None
    )


def _target_keys(prop: Relationship) -> list[str] | None:
    """The attributes that hold the target's primary key; None when they do not map one to one."""
    local = {remote: own for own, remote in prop.local_remote_pairs or ()}
    if not all(column in local for column in prop.mapper.primary_key):
        return None
    return [prop.parent.get_property_by_column(local[column]).key for column in prop.mapper.primary_key]


def _by_target(
    session: Session, prop: Relationship, keys: list[str], peers: list[State]
) -> dict[Any, list[State]]:
    """The peers by the target they refer to, without those for which no statement is needed."""
    groups: dict[Any, list[State]] = {}
    for peer in peers:
        identity = tuple(_values(peer, keys))
        if None not in identity:
            groups.setdefault(identity, []).append(peer)
    known = session.identity_map
    return {
        identity: group
        for identity, group in groups.items()
        if prop.mapper.identity_key_from_primary_key(identity) not in known
    }


def _values(state: State, keys: list[str]) -> Iterator[Any]:
    values = state.dict
    for key in keys:
        yield values.get(key)


def _watch(execution: ORMExecuteState, prop: Relationship) -> Watch:
    """What may change the result; not known where criteria of the query's or of a listener's may hold."""
    options = getattr(execution.statement, "_with_options", ())
    listeners = len(list(execution.session.dispatch.do_orm_execute))
    if listeners > 1 or any(isinstance(each, LoaderCriteriaOption) for each in options):
        return None
    return watch_of(prop)
