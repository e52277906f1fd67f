"""What an application can see of instances and of a session, as plain values that compare."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.orm import InstanceState, Session


def plain(value: Any) -> Any:
    """A value with each instance named by its class and key, sets in order."""
    state = inspect(value, raiseerr=False)
    if isinstance(state, InstanceState):
        return (type(value).__name__, state.key[1] if state.key else sorted(_columns(state).items(), key=str))
    if isinstance(value, Mapping):
        return [type(value).__name__, *((plain(key), plain(each)) for key, each in value.items())]
    if isinstance(value, set):
        return [type(value).__name__, *sorted(map(plain, value), key=str)]
    if isinstance(value, (list, tuple)) or hasattr(value, "_sa_adapter"):
        return [type(value).__name__, *map(plain, value)]
    return value


def _columns(state: InstanceState[Any]) -> dict[str, Any]:
    return {key: state.dict[key] for prop in state.mapper.column_attrs if (key := prop.key) in state.dict}


def of_instance(instance: Any) -> Any:
    """All that is loaded on an instance, and what has changed of it."""
    state = inspect(instance)
    loaded = {key: plain(state.dict[key]) for key in sorted(state.manager) if key in state.dict}
    changes = {
        key: [plain(list(part)) for part in state.attrs[key].history]
        for key in sorted(state.manager)
        if key in state.dict and state.attrs[key].history.has_changes()
    }
    return (plain(instance), loaded, changes, sorted(state.expired_attributes), state.expired, state.modified)


def of_session(session: Session) -> Any:
    """All that a session holds, by its key, and what it would write."""
    held = {str(plain(each)): of_instance(each) for each in session}
    writes = [
        sorted((plain(each) for each in part), key=str)
        for part in (session.new, session.dirty, session.deleted)
    ]
    return held, writes
