"""Everything of SQLAlchemy's that is not in its documentation and that peer loading leans on.

Checked by the tests against the oldest and the newest supported version. The one private call is
``_load_for_path`` of the selectin loader; beside it are read or set ``InstanceState.runid``, ``load_path``,
``callables``, ``committed_state`` and ``expired_attributes``, ``callable_`` and ``load_on_unexpire`` of an
attribute, the load options ``_lazy_loaded_from``, ``_refresh_state``, ``_autoflush``, ``_is_user_refresh``
and ``_sa_top_level_orm_context``, the compile options ``_current_path`` and ``_only_load_props``,
``RelationshipProperty._use_get``, and ``_autoflush`` and ``_flushing`` of a session. Where one of them is
missing or raises, the ordinary lazy load runs.
"""

from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy.engine.result import IteratorResult, SimpleResultMetaData
from sqlalchemy.orm import InstanceState, ORMExecuteState, RelationshipProperty, Session, strategies

from pitstop.sql.lineage import PEER_OF

__all__ = [
    "CHUNK",
    "Loader",
    "attributes_asked",
    "autoflush",
    "completed_state",
    "flush_before",
    "hears_refresh",
    "in_memory",
    "is_flushing",
    "is_part_of_a_load",
    "is_unexpired",
    "is_use_get",
    "is_user_refresh",
    "lazy_relationship",
    "load_related",
    "plain_loader",
    "reduction",
    "set_loaders",
]

CHUNK = 500
"""Instances in one statement of the selectin loader."""

State = InstanceState[Any]
Relationship = RelationshipProperty[Any]
Loader = Callable[[State, Any], Any]


class _Seat:
    """Stands in for an instance while the selectin loader runs: it takes the value that is loaded, so that
    the instance keeps what it has.
    """

    __slots__ = ("_state", "key", "value")

    def __init__(self, state: State) -> None:
        self._state = state
        self.key = state.key
        self.value: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._state, name)

    def get_impl(self, key: str) -> "_Seat":
        return self

    def set_committed_value(self, state: Any, dict_: Any, value: Any) -> None:
        self.value = value


class _Context:
    """What the selectin loader asks of the query that it belongs to; 2.0 and 2.1 ask differently."""

    populate_existing = False

    def __init__(self, session: Session, options: Any) -> None:
        self.session = session
        self._with_options = options
        self.compile_state = self.select_statement = self.user_passed_query = self

    def _loader_strategy_options(self) -> Any:
        return self._with_options


def load_related(execution: ORMExecuteState, prop: Relationship, states: list[State]) -> list[Any]:
    """Load a relationship for instances as ``selectinload`` would, without setting it on them.

    Args:
        execution: the lazy load that asks for it; its options and path hold for all.
        states: the instances; they must come from one result and one path.

    Returns:
        for each a list (collections), or an instance or None.
    """
    seats = [_Seat(state) for state in states]
    statement: Any = execution.statement
    loader: Any = prop._get_strategy((("lazy", "selectin"),))
    loader._load_for_path(
        _Context(execution.session, statement._with_options),
        _path_of_parent(statement._compile_options._current_path),
        [(seat, True) for seat in seats],
        None,
        prop.entity,
        None,
        None,
        {PEER_OF: states[0], "autoflush": False},
    )
    if not prop.uselist:
        return [seat.value for seat in seats]
    if prop.secondary is None:
        return [seat.value or [] for seat in seats]
    return [_unique(seat.value) for seat in seats]


def _path_of_parent(path: Any) -> Any:
    while not path.is_property:
        path = path.parent
    return path.parent


def _unique(loaded: Iterable[Any] | None) -> list[Any]:
    return list({id(each): each for each in loaded or ()}.values())


def lazy_relationship(execution: ORMExecuteState) -> Relationship | None:
    """The relationship that a lazy load is for."""
    path = execution.loader_strategy_path
    elements = reversed(path.path) if path is not None else ()
    return next((each for each in elements if isinstance(each, RelationshipProperty)), None)


def completed_state(execution: ORMExecuteState) -> State | None:
    """The instance that a load on demand completes; None for all other statements."""
    options: Any = execution.load_options
    state: State | None = options._lazy_loaded_from or options._refresh_state
    return state


def is_user_refresh(execution: ORMExecuteState) -> bool:
    """Whether ``Session.refresh`` asked."""
    options: Any = execution.load_options
    return bool(options._is_user_refresh)


def attributes_asked(execution: ORMExecuteState) -> frozenset[str]:
    """The attributes that a column load is for."""
    options: Any = getattr(execution.statement, "_compile_options", None)
    return frozenset(options._only_load_props or ())


def is_part_of_a_load(execution: ORMExecuteState) -> bool:
    """Whether another load, still running, brings this one along (``lazy="immediate"``, refresh)."""
    options: Any = execution.load_options
    return options._sa_top_level_orm_context is not None


def is_use_get(prop: Relationship) -> bool:
    """Whether a lazy load looks the target up by its primary key, in the session first."""
    return bool(prop._use_get)


def flush_before(execution: ORMExecuteState) -> Callable[[], None] | None:
    """What flushes before this load, or None where it does not flush."""
    options: Any = execution.load_options
    flush: Callable[[], None] = execution.session._autoflush
    return flush if options._autoflush else None


def autoflush(session: Session) -> None:
    """Flush as a query would: not where that is switched off, not within a flush."""
    session._autoflush()


def is_flushing(session: Session) -> bool:
    """Whether a flush is going on."""
    return session._flushing


def plain_loader(state: State, key: str) -> Loader:
    """The ordinary lazy loader of an attribute."""
    loader: Loader | None = state.get_impl(key).callable_
    if loader is None:
        raise AttributeError(f"attribute {key!r} of {state.class_.__name__} has no lazy loader")
    return loader


def set_loaders(states: Iterable[State], key: str, loaders: Iterable[Loader]) -> None:
    """Let each of these instances load the attribute in its way, until it is loaded or expired."""
    for state, loader in zip(states, loaders, strict=True):
        if state.callables:
            state.callables[key] = loader
        else:  # an empty one may be shared
            state.callables = {key: loader}


def reduction(plain: Loader, key: str) -> Any:
    """What is pickled in the place of a loader set by ``set_loaders``: SQLAlchemy's own, nothing kept."""
    owner: Any = getattr(plain, "__self__", None)
    if owner is None:  # a loader of one instance already
        loader: Any = plain
    elif isinstance(owner.parent_property, RelationshipProperty):
        loader = _either("_LoadLazyAttribute", "LoadLazyAttribute")(key, owner, None, None)
    else:
        loader = _either("_LoadDeferredColumns", "LoadDeferredColumns")(key)
    return loader.__reduce_ex__(1)  # later protocols want the class of what is pickled


def _either(name: str, older: str) -> Any:
    return getattr(strategies, name, None) or getattr(strategies, older)


def is_unexpired(state: State, names: Iterable[str]) -> bool:
    """Whether a column load is for expired columns (and not for deferred ones)."""
    expired = state.expired_attributes
    return any(name in expired and state.get_impl(name).load_on_unexpire for name in names)


def hears_refresh(state: State) -> bool:
    """Whether somebody wants to hear of columns being loaded, as mutable and composite columns do."""
    return bool(state.manager.dispatch.refresh)


class _InMemory(IteratorResult[Any]):
    """A result that is distinct already; by identity, because instances need not be hashable."""

    def unique(self, strategy: Any = None) -> "_InMemory":
        return self


def in_memory(instances: Iterable[Any]) -> IteratorResult[Any]:
    """The result of a load that was done in another way."""
    return _InMemory(SimpleResultMetaData(["instance"]), iter([(each,) for each in instances]))
