"""Cached sync functions."""

import copy
import functools
import threading
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, cast, overload

from sqlalchemy.util import await_only, greenlet_spawn
from sqlalchemy.util.concurrency import in_greenlet

from pitstop.cache.background import log_failure
from pitstop.cache.effects import Outcome
from pitstop.cache.function import MISSING, Bound, Cached
from pitstop.cache.memory import Held
from pitstop.cache.request import Request

__all__ = ["SyncCached"]

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
S = TypeVar("S")


class SyncCached(Cached[P, R]):
    """A cached sync function."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The value, from wherever it is had soonest."""
        value = self._peek(args, kwargs)
        if value is MISSING:
            value = self._get(args, kwargs)
        return copy.deepcopy(value) if self._copied else value  # type: ignore[no-any-return]

    @overload
    def __get__(self, instance: None, owner: Any) -> Self: ...

    @overload
    def __get__(self: "SyncCached[Concatenate[S, Q], R]", instance: S, owner: Any) -> "SyncCached[Q, R]": ...

    def __get__(self, instance: Any, owner: Any) -> Any:
        return self if instance is None else _BoundSync(self, instance)

    def invalidate(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """As of :class:`~pitstop.cache.AsyncCached`."""
        self._parts.invalidation.drop_blocking([self.key(*args, **kwargs)])

    def refresh(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """As of :class:`~pitstop.cache.AsyncCached`."""
        request = self._to_refresh(args, kwargs)
        return self._taken(request, self._load(request), None, args, kwargs)  # type: ignore[no-any-return]

    def bypass(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """As of :class:`~pitstop.cache.AsyncCached`."""
        return cast("R", self._function(*args, **kwargs))

    def _get(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if not self._parts.enabled:
            return self._function(*args, **kwargs)
        request = self._request(args, kwargs)
        value, held = self._recalled(request, args, kwargs)
        if value is not MISSING:
            return value
        self._parts.start()
        return self._taken(request, self._load(request), held, args, kwargs)

    def _load(self, request: Request) -> Outcome:
        if not in_greenlet():
            return self._parts.blocking.get(request)
        # below run_sync of an async session: nobody may hold up the event loop
        request = request.called_by(functools.partial(greenlet_spawn, request.call))
        return await_only(self._parts.loads.get(request))

    def _renew_behind(
        self, request: Request, held: Held | None, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        def renew() -> None:
            outcome = None
            try:
                outcome = self._parts.blocking.get(request)
            finally:
                self._renewed(outcome, held, args, kwargs)

        threading.Thread(target=renew, daemon=True).start()

    def _compare(self, held: Held, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        def compare() -> None:
            try:
                self._judge(held, self._function(*args, **kwargs))
            except Exception as error:  # noqa: BLE001 - it is logged
                log_failure(error)

        threading.Thread(target=compare, daemon=True).start()


class _BoundSync(Bound[P, R], SyncCached[P, R]):
    """A cached sync method of one object."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return cast("R", self._cached(self._instance, *args, **kwargs))
