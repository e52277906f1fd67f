"""``implicit_loading``: lazy relations load in async endpoints and while their response is serialised."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar, overload

from pitstop.errors import SettingsError

__all__ = ["implicit_loading"]

Target = TypeVar("Target", bound=Callable[..., Any])


@overload
def implicit_loading(target: Target, *, batch: bool = True) -> Target: ...
@overload
def implicit_loading(*, batch: bool = True) -> Callable[[Target], Target]: ...
def implicit_loading(target: Any = None, *, batch: bool = True) -> Any:
    """Let lazy relations, deferred and expired columns load in async code, instead of ``MissingGreenlet``.

    For a whole application::

        app = FastAPI()
        implicit_loading(app)

    or for one route, below the decorator of the framework::

        @app.get("/posts", response_model=list[PostOut])
        @implicit_loading
        async def posts(session: SessionDep): ...

    Covered is the task that handles the request, up to the first byte of the response: dependencies, the
    endpoint, and the serialisation by its ``response_model``. Streams, background tasks, WebSockets, plain
    ``def`` endpoints, and tasks that an endpoint starts are as they were.

    Args:
        target: a FastAPI or Starlette application that has not served yet, or an async function, which
            need not be an endpoint.
        batch: whether a load for one object is a load for all objects that came with it (peer loading).

    Returns:
        the application, or the function to put in place of the given one.

    Raises:
        SettingsError: the application has served already, or the target is something else.
    """
    if target is None:
        return partial(implicit_loading, batch=batch)
    # SQLAlchemy is imported by those who use this, not by all who use the middleware of this room.
    from pitstop.sql.green import batch_sessions
    from pitstop.web.cover import cover_application, cover_function

    is_application = hasattr(target, "user_middleware") and hasattr(target, "middleware_stack")
    if not is_application and not inspect.iscoroutinefunction(target):
        raise SettingsError(
            f"implicit_loading takes a FastAPI or Starlette application or an async function, not "
            f"{_name(target)}: a plain function cannot await what it loads, and a stream has to load before "
            "it begins"
        )
    if batch:
        batch_sessions()
    cover = cover_application if is_application else cover_function
    return cover(target, batch=batch)


def _name(target: Any) -> str:
    name = getattr(target, "__qualname__", None)
    return f"{name!r}" if name else type(target).__name__
