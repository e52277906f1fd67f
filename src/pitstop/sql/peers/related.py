"""The relationship of an instance and of its peers, loaded together."""

from typing import Any

from sqlalchemy.orm import InstanceState, ORMExecuteState, RelationshipProperty, Session
from sqlalchemy.orm.attributes import instance_state
from sqlalchemy.orm.util import LoaderCriteriaOption

from pitstop.sql.peers import inside
from pitstop.sql.peers.batch import Batch
from pitstop.sql.peers.columns import may_be_orphan, may_orphan
from pitstop.sql.peers.kept import is_free, keep, keep_targets
from pitstop.sql.peers.ledger import Ledger
from pitstop.sql.peers.listening import others_listen
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
    if _concerns_orphans(prop.mapper) and _some_expired(session, prop.mapper):
        return None
    peers = _peers(session, state, prop, ledger)
    runs = ledger.family(state.runid)
    batch = Batch(session, state, runs, ledger.writes, _watch(execution, prop))
    if inside.is_use_get(prop) and (keys := _target_keys(prop)) is not None:
        found = _load_targets(execution, prop, state, _by_target(session, prop, keys, peers), batch)
    else:
        found = _load_values(execution, prop, peers, batch, ledger)
    if found is not None:
        ledger.loaded((runs, prop), batch)
    return found


def _load_values(
    execution: ORMExecuteState, prop: Relationship, peers: list[State], batch: Batch, ledger: Ledger
) -> list[Any] | None:
    if len(peers) < 2:
        return None
    mine, *others = inside.load_related(execution, prop, peers)
    keep(batch, prop, peers[1:], others)
    if len(peers) > inside.CHUNK and prop.uselist:  # in several statements
        ledger.brought(frozenset(instance_state(each).runid for value in (mine, *others) for each in value))
    return _as_rows(prop, mine)


def _load_targets(
    execution: ORMExecuteState, prop: Relationship, state: State, groups: dict[Any, list[State]], batch: Batch
) -> list[Any] | None:
    """Load each target once that is not in the session, for one of those who refer to it."""
    if len(groups) < 2 or state is not next(iter(groups.values()))[0]:
        return None
    targets = inside.load_related(execution, prop, [group[0] for group in groups.values()])
    first, *others = groups.values()
    rest = [first[1:], *others]  # the first of all is the one that is touched
    found = zip(targets, rest, strict=True)
    keep_targets(batch, prop, [(target, peers) for target, peers in found if target is not None])
    return _as_rows(prop, targets[0])


def _concerns_orphans(mapper: Any) -> bool:
    return may_orphan(mapper) or may_be_orphan(mapper)


def _some_expired(session: Session, mapper: Any) -> bool:
    """Whether rows of a class may refresh an expired instance of the session earlier than the code asks."""
    states = session.identity_map.all_states()
    return any(each.expired and each.manager.mapper.base_mapper is mapper.base_mapper for each in states)


def _as_rows(prop: Relationship, value: Any) -> list[Any]:
    if prop.uselist:
        return list(value)
    return [] if value is None else [value]


def _peers(session: Session, state: State, prop: Relationship, ledger: Ledger) -> list[State]:
    """The instance and its peers: those that stand behind it first, as code walks on."""
    states = session.identity_map.all_states()
    runs, path, manager, key = ledger.family(state.runid), state.load_path, state.manager, prop.key
    found = [
        each
        for each in states
        if each.runid in runs
        and not each.modified
        and not each.expired
        and (each.load_path is path or each.load_path == path)
        and (each.manager is manager or each.manager.mapper.isa(prop.parent))
        and key not in each.dict
        and (not each.callables or is_free(each, key))
        and each.identity_token is None
    ]
    ledger.looked(at=len(states), found=len(found) - 1)
    if state not in found:
        return []
    at = found.index(state)
    return [*found[at:], *found[:at]][:_MAX_PEERS]


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
    first, *further = keys
    for peer in peers:
        values = peer.dict
        identity = values.get(first)
        if further:
            identity = (identity, *[values.get(key) for key in further])
        groups.setdefault(identity, []).append(peer)
    return {key: group for key, group in groups.items() if _is_unknown(session, prop, key)}


def _is_unknown(session: Session, prop: Relationship, key: Any) -> bool:
    """Whether a key is one, and its instance is not in the session."""
    identity = key if isinstance(key, tuple) else (key,)
    if None in identity:
        return False
    return prop.mapper.identity_key_from_primary_key(identity) not in session.identity_map


def _watch(execution: ORMExecuteState, prop: Relationship) -> Watch:
    """What may change the result; not known where criteria of the query's or of a listener's may hold."""
    options = getattr(execution.statement, "_with_options", ())
    if others_listen(execution.session) or any(isinstance(each, LoaderCriteriaOption) for each in options):
        return None
    return watch_of(prop)
