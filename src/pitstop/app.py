"""``Pitstop``: the one place that wires the rooms together, three lines in an application."""

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from pitstop.advisor.recorder import Recorder, start_recorder
from pitstop.errors import SettingsError
from pitstop.settings import Settings, load_settings
from pitstop.sql import Observer, observe
from pitstop.store import Store
from pitstop.web import BusyMiddleware, ObserveMiddleware

if TYPE_CHECKING:
    from pitstop.cache import Cache

__all__ = ["Pitstop"]


class Pitstop:
    """Observes an application and records what it sees, from now until :meth:`close`.

    ::

        app = FastAPI()
        engine = create_engine("postgresql+asyncpg://...", workers=4)
        pitstop = Pitstop(app, engine=engine)

    With ``PITSTOP_ENABLED=0`` it does nothing. Under ``pitstop run`` nothing is counted twice.

    Args:
        app: a FastAPI or Starlette application that has not served yet; it gets a middleware, and one that
            answers 503 where a pool of ``create_engine`` is exhausted. None to
            observe operations only (``open_scope``). Any other ASGI application is wrapped by hand:
            ``app = ObserveMiddleware(app)`` from ``pitstop.web``.
        engine: the ``Engine`` or ``AsyncEngine`` to observe; None for every engine of the process.
        redis: URL of the Redis for :attr:`cache`; None for ``PITSTOP_REDIS_URL``, and without that for the
            memory of this process alone.
        store: directory of the record, instead of ``PITSTOP_STORE`` or ``./.pitstop``.
        settings: instead of the ``PITSTOP_*`` environment variables.

    Attributes:
        settings: what it runs with.
        enabled: whether it observes.

    Raises:
        SettingsError: the application has served already or is of another kind, the engine is none, or
            a variable has a value that cannot work.
    """

    def __init__(
        self,
        app: Any = None,
        *,
        engine: Any = None,
        redis: str | None = None,
        store: Path | str | None = None,
        settings: Settings | None = None,
    ) -> None:
        self.settings = settings or load_settings()
        self.enabled = self.settings.enabled
        self._observer: Observer | None = None
        self._recorder: Recorder | None = None
        self._redis = redis
        self._cache: Cache | None = None
        if self.enabled:
            if app is not None:
                _add_middleware(app)
            self._start(engine, Path(store) if store is not None else self.settings.store)

    def __repr__(self) -> str:
        state = "off" if not self.enabled else "closed" if self._recorder is None else "observing"
        return f"<Pitstop {state}>"

    @property
    def cache(self) -> "Cache":
        """The cache, made when it is first asked for; it connects with its first use.

        With ``PITSTOP_CACHE_ENABLED=0`` it calls every function; ``PITSTOP_ENABLED=0`` leaves it on: an
        application may need its cache where it need not be observed.
        """
        if self._cache is None:
            from pitstop.cache import Cache

            url = self.settings.redis_url
            known = self._redis or (url.get_secret_value() if url is not None else None)
            self._cache = Cache(redis=known, enabled=self.settings.cache_enabled)
        return self._cache

    def flush(self) -> None:
        """Write what was seen so far to the record now, instead of within half a second."""
        if self._recorder is not None:
            self._recorder.flush()

    def close(self) -> None:
        """Stop observing, write what is pending, close the cache; twice is harmless.

        The process may also just end. A cache that is used again afterwards connects again.
        """
        observer, self._observer = self._observer, None
        recorder, self._recorder = self._recorder, None
        if observer is not None:
            observer.close()
        if recorder is not None:
            recorder.close()
        if self._cache is not None:
            self._cache.close_blocking()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _start(self, engine: Any, directory: Path) -> None:
        self._observer = observe(
            engine,
            threshold=self.settings.n_plus_one_threshold,
            allow=self.settings.n_plus_one_allow,
            slow_ms=self.settings.slow_statement_ms,
        )
        self._recorder = start_recorder(Store(directory, max_bytes=self.settings.store_max_bytes))


def _add_middleware(app: Any) -> None:
    if not hasattr(app, "add_middleware") or not hasattr(app, "middleware_stack"):
        raise SettingsError(
            f"Pitstop(app) takes a FastAPI or Starlette application, not {type(app).__name__}: "
            "wrap any other ASGI application with pitstop.web.ObserveMiddleware(app)"
        )
    if app.middleware_stack is not None:
        raise SettingsError(
            "Pitstop(app) comes too late: the application has started and its middleware is fixed; "
            "call it right after the application is made"
        )
    app.add_middleware(BusyMiddleware)
    app.add_middleware(ObserveMiddleware)  # outside: it sees the 503
