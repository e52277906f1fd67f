"""Which query a loaded object came from, and by which relationships.

SQLAlchemy numbers every result it loads (``InstanceState.runid``, from one ascending counter). Taking a
number of our own right after a statement was executed, before its rows are loaded, tells later which
statement the rows belong to: the last one whose number is below theirs. Nothing is put on statements or
objects. Names of SQLAlchemy that are not in its documentation and are read here and in ``hooks``,
checked against the oldest and newest supported version by the tests: ``loading._new_runid``,
``InstanceState.runid``, ``QueryContext.runid``, the load options ``_lazy_loaded_from``,
``_refresh_state``, ``_is_user_refresh``, ``_sa_top_level_orm_context``, and the compile options
``_current_path``, ``_only_load_props``.
"""

from bisect import bisect_left
from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import RelationshipProperty, loading

from pitstop.location import Site

__all__ = ["PEER_OF", "Execution", "Lineage", "Origin", "next_run"]

PEER_OF = "pitstop_peer_of"
"""Execution option of a peer load: the instance whose lazy load it took the place of."""

_MAX_LOADS = 20_000


def _no_run() -> int:
    return 0


next_run: Callable[[], int] = getattr(loading, "_new_runid", _no_run)


class Origin:
    """One query by the user: where it was issued, and the mapper that it selects (or None)."""

    __slots__ = ("entity", "site")
    kind = "query"

    def __init__(self, site: Site, entity: Any) -> None:
        self.site = site
        self.entity = entity


class Execution:
    """One ORM statement that completes the rows of a query.

    Attributes:
        kind: ``"lazy"`` relationship; ``"column"`` deferred or expired; ``"eager"`` brought along by
            another load.
        site: where it was caused.
        path: mappers and properties from the root entity to what is loaded.
        state: the instance that it is loaded for, or None.
        names: the column attributes that are loaded (``"column"`` only).
        expired: whether those, or of a relationship the columns of its row, had been loaded before and
            expired since.
        user_refresh: whether ``Session.refresh`` asked.
        outer: SQLAlchemy's context of the load that this one is part of, or None.
        origin: the query whose rows it completes; None where that was not seen.
        cause: the load that brought an ``"eager"`` one along; None where that was the query itself.
    """

    __slots__ = (
        "cause",
        "expired",
        "kind",
        "names",
        "origin",
        "outer",
        "path",
        "site",
        "state",
        "user_refresh",
    )

    def __init__(
        self,
        kind: str,
        site: Site,
        *,
        path: tuple[Any, ...] = (),
        state: Any = None,
        names: frozenset[str] = frozenset(),
        expired: bool = False,
        user_refresh: bool = False,
        outer: Any = None,
    ) -> None:
        self.kind = kind
        self.site = site
        self.path = path
        self.state = state
        self.names = names
        self.expired = expired
        self.user_refresh = user_refresh
        self.outer = outer
        self.origin: Origin | None = None
        self.cause: Execution | None = None

    def like(self, *, kind: str, path: tuple[Any, ...]) -> "Execution":
        """A copy for one trace, of which origin and cause hold in that trace only."""
        return Execution(
            kind,
            self.site,
            path=path,
            state=self.state,
            names=self.names,
            expired=self.expired,
            user_refresh=self.user_refresh,
        )


class _Load:
    """What one execution loaded: its origin, and how the path of its rows begins."""

    __slots__ = ("base", "execution", "origin", "skip")

    def __init__(
        self, execution: Execution | Origin, origin: Origin | None, base: tuple[Any, ...], skip: int
    ) -> None:
        self.execution = execution
        self.origin = origin
        self.base = base
        self.skip = skip

    def path_of(self, state: Any) -> tuple[Any, ...]:
        """The path from the root entity to a row of this load."""
        # an instance that was made here has no path of its own, though it has been read again since
        return (*self.base, *state.load_path.path[self.skip :]) or (state.mapper,)


class Lineage:
    """The ORM loads of one trace, in order; the last 20,000 at the most."""

    __slots__ = ("_loads", "_runs")

    def __init__(self) -> None:
        self._runs: list[int] = []
        self._loads: list[_Load] = []

    def begin(self, origin: Origin, run: int) -> None:
        """Take note of a query; ``run`` is the number taken after it was executed, before its rows."""
        self._note(_Load(origin, origin, (), 0), run)

    def resolve(self, execution: Execution, run: int) -> Execution:
        """Place one further load among the others. Must be called before its rows are loaded."""
        outer = self._find(execution.outer)
        if execution.kind == "eager":
            # subqueryload does not say what it is part of: it runs while the load before it is read
            return self._brought_along(execution, outer or (self._loads[-1] if self._loads else None), run)
        if outer is not None and outer.execution.kind != "query":
            return self._brought_along(execution, outer, run)
        return self._completing(execution, run)

    def _brought_along(self, execution: Execution, outer: _Load | None, run: int) -> Execution:
        execution = execution.like(kind="eager", path=execution.path)
        if outer is not None:
            execution.origin = outer.origin
            execution.cause = outer.execution if isinstance(outer.execution, Execution) else None
            self._note(_Load(outer.execution, outer.origin, outer.base, outer.skip), run)
        return execution

    def _completing(self, execution: Execution, run: int) -> Execution:
        load = self._find(execution.state)
        here = execution.path
        path = load.path_of(execution.state) if load is not None else self._own_path(execution)
        if execution.kind == "lazy":
            path = _extended(path, _last_relationship(here), execution.state)
        resolved = execution.like(kind=execution.kind, path=path)
        if load is not None:
            resolved.origin = load.origin
            resolved.expired = execution.expired or _is_reading_again(load.execution)
        if execution.kind == "lazy":
            self._note(_Load(resolved, resolved.origin, path, len(here)), run)
        else:
            base, skip = (load.base, load.skip) if load is not None else ((), 0)
            self._note(_Load(resolved, resolved.origin, base, skip), run)
        return resolved

    def _own_path(self, execution: Execution) -> tuple[Any, ...]:
        state = execution.state
        if state is None:
            return ()
        return tuple(state.load_path.path) or (state.mapper,)

    def _find(self, loaded: Any) -> _Load | None:
        """The load that gave a state (or context) its number."""
        run = getattr(loaded, "runid", None)
        if run is None:
            return None
        index = bisect_left(self._runs, run) - 1
        return self._loads[index] if index >= 0 else None

    def _note(self, load: _Load, run: int) -> None:
        if not run:
            return
        if len(self._runs) >= _MAX_LOADS:
            del self._runs[: _MAX_LOADS // 2]
            del self._loads[: _MAX_LOADS // 2]
        self._runs.append(run)
        self._loads.append(load)


def _is_reading_again(execution: Execution | Origin) -> bool:
    """Whether a whole row was read again, of which the key was expired as well."""
    if not isinstance(execution, Execution) or not execution.expired or execution.user_refresh:
        return False
    mapper = execution.state.mapper
    return all(mapper.get_property_by_column(key).key in execution.names for key in mapper.primary_key)


def _extended(path: tuple[Any, ...], relationship: Any, state: Any) -> tuple[Any, ...]:
    """The path to a relationship; one that only a subclass has is reached by that subclass."""
    if path[-1].mapper.isa(relationship.parent):
        return (*path, relationship)
    return (*path[:-1], state.mapper, relationship)


def _last_relationship(path: tuple[Any, ...]) -> Any:
    return next(each for each in reversed(path) if isinstance(each, RelationshipProperty))
