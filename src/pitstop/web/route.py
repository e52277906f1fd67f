"""The name of a request: its method and route template, so that names stay few whatever is asked for.

Frameworks leave what they matched in the ASGI scope; it is read by shape, not by class, so that
nothing is imported that the application does not use.
"""

import re
from collections.abc import Iterator, MutableMapping
from typing import Any

from pitstop.scope import Handler

__all__ = ["UNROUTED", "ASGIScope", "handler_of", "request_name"]

ASGIScope = MutableMapping[str, Any]

UNROUTED = "(no route)"

_METHODS = frozenset(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"])
# Segments that are made from data: numbers, UUIDs, long hexadecimal digests.
_IDENTIFIER = re.compile(
    r"(?<=/)(?:\d+|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9a-fA-F]{16,})(?=/|$)"
)


def request_name(scope: ASGIScope, *, status: int | None) -> str:
    """Name a request after it was handled: ``GET /posts/{id}``.

    Args:
        scope: the ASGI scope as the application left it.
        status: of the response; None when there was none.
    """
    method = scope["method"]
    template = _matched(scope) or _unmatched(scope, status)
    return f"{method if method in _METHODS else 'OTHER'} {template}"


def handler_of(scope: ASGIScope) -> Handler | None:
    """What answered a request, where FastAPI tells it and the route has a response model."""
    route = scope.get("route")
    model = getattr(route, "response_model", None)
    if model is None:
        return None
    modules = {getattr(call, "__module__", "") for call in _calls(getattr(route, "dependant", None))}
    return Handler(tuple(sorted(filter(None, modules))), model)


def _calls(dependant: Any) -> Iterator[Any]:
    """The endpoint and all that it depends on."""
    if dependant is not None:
        yield dependant.call
        for each in dependant.dependencies:
            yield from _calls(each)


def _matched(scope: ASGIScope) -> str | None:
    """The whole template that a router left in the scope, the prefixes of mounts and routers included."""
    route = scope.get("route")
    included = scope.get("fastapi")
    if included is not None:  # a route of an included router has the path without the router's prefix
        context = included.get("effective_route_context")
        if context is not None and (route is None or context.original_route is route):
            route = getattr(context, "starlette_route", None) or context
    if route is None:
        if "endpoint" not in scope:
            return scope.get("path_template")  # Litestar
        route = _route_of(scope)
    path: str | None = getattr(route, "path_format", None)
    if path is not None and "app_root_path" in scope:
        return _mount_prefix(scope, route) + path
    return path


def _route_of(scope: ASGIScope) -> Any:
    """The route whose endpoint was called, where the router does not name it (FastAPI's plain routes)."""
    endpoint, given = scope["endpoint"], scope.get("path_params", {}).keys()
    for route in getattr(scope.get("app"), "routes", None) or ():
        if endpoint in (getattr(route, "endpoint", None), getattr(route, "app", None)):
            names = getattr(route, "param_convertors", {}).keys() - {"path"}
            if names <= given:
                return route
    return None


def _mount_prefix(scope: ASGIScope, route: Any) -> str:
    """What mounts took off the path before the route saw it, its values put back into braces."""
    root: str = scope.get("root_path", "")
    prefix = root.removeprefix(scope["app_root_path"])
    if not hasattr(route, "endpoint"):  # a mount is the innermost: its own path is in the root path too
        prefix = prefix.rsplit("/", route.path.count("/"))[0]
    for name, value in scope.get("path_params", {}).items():
        if name not in route.param_convertors:
            prefix = f"{prefix}/".replace(f"/{value}/", f"/{{{name}}}/")[:-1]
    return prefix


def _unmatched(scope: ASGIScope, status: int | None) -> str:
    """A template where nothing was matched: no such path, answered before the routing, no known router."""
    if status in (404, 405) or "router" in scope:
        return UNROUTED
    for route in getattr(scope.get("app"), "routes", None) or ():
        path: str | None = getattr(route, "path_format", None)
        if path is not None and route.matches(scope)[0].value == 2:  # starlette.routing.Match.FULL
            return path
    return _IDENTIFIER.sub("{id}", scope["path"]) or "/"
