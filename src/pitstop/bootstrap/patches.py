"""Where our middleware enters frameworks and servers, by the module that is patched after its import.

Starlette and FastAPI are met wherever they run; any other ASGI application where the server loads it.
Each patch does nothing when the attribute it needs is not there: another version, another place.
"""

import functools
import sys
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pitstop.advisor.recorder import Recorder

__all__ = ["PATCHES"]

Begin = Callable[[], "Recorder | None"]
Patch = Callable[[ModuleType, Begin], None]


def _wrap(owner: Any, name: str, around: Callable[..., Any]) -> None:
    """Replace a method by ``around(original, self, *args, **kwargs)``; once, and only if it is there."""
    original = vars(owner).get(name) if owner is not None else None
    if original is None or hasattr(original, "__pitstop__"):
        return

    @functools.wraps(original)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        return around(original, self, *args, **kwargs)

    wrapper.__pitstop__ = True  # type: ignore[attr-defined]
    setattr(owner, name, wrapper)


def _observed(app: Any, begin: Begin) -> Any:
    """The application in our middleware, unless it is Starlette: that has it in its own stack."""
    from pitstop.web import ObserveMiddleware

    begin()
    starlette = sys.modules.get("starlette.applications")
    inner = app
    while type(inner).__module__.startswith("uvicorn."):  # its own middleware: proxy headers, trace log
        inner = getattr(inner, "app", None)
    if isinstance(inner, ObserveMiddleware) or (starlette and isinstance(inner, starlette.Starlette)):
        return app
    return ObserveMiddleware(app)


def _starlette(module: ModuleType, begin: Begin, *, name: str = "Starlette") -> None:
    def build(original: Callable[..., Any], self: Any) -> Any:
        from pitstop.web import ObserveMiddleware

        begin()
        stack = original(self)
        return stack if isinstance(stack, ObserveMiddleware) else ObserveMiddleware(stack)

    _wrap(getattr(module, name, None), "build_middleware_stack", build)


def _uvicorn(module: ModuleType, begin: Begin) -> None:
    def load(original: Callable[..., Any], self: Any) -> None:
        original(self)
        if self.interface != "wsgi":
            self.loaded_app = _observed(self.loaded_app, begin)

    _wrap(getattr(module, "Config", None), "load", load)


def _uvicorn_server(module: ModuleType, begin: Begin) -> None:
    async def shutdown(original: Callable[..., Any], self: Any, *args: Any, **kwargs: Any) -> None:
        await original(self, *args, **kwargs)
        # After this it sends itself the signal that ended it, and dies of it without `atexit`.
        recorder = begin()
        if recorder is not None:
            recorder.flush()

    _wrap(getattr(module, "Server", None), "shutdown", shutdown)


def _hypercorn(module: ModuleType, begin: Begin) -> None:
    def init(original: Callable[..., Any], self: Any, app: Any) -> None:
        original(self, _observed(app, begin))

    _wrap(getattr(module, "ASGIWrapper", None), "__init__", init)


def _gunicorn(module: ModuleType, begin: Begin) -> None:
    def load(original: Callable[..., Any], self: Any) -> None:
        original(self)
        self.asgi = _observed(self.asgi, begin)

    _wrap(getattr(module, "ASGIWorker", None), "load_wsgi", load)


PATCHES: dict[str, Patch] = {
    "starlette.applications": _starlette,
    "fastapi.applications": functools.partial(_starlette, name="FastAPI"),
    "uvicorn.config": _uvicorn,
    "uvicorn.server": _uvicorn_server,
    "hypercorn.app_wrappers": _hypercorn,
    "gunicorn.workers.gasgi": _gunicorn,
}
