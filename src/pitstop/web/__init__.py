"""What meets HTTP: the middleware that makes a scope of every request, implicit loading in endpoints."""

from pitstop.web.implicit import implicit_loading
from pitstop.web.middleware import ObserveMiddleware

__all__ = ["ObserveMiddleware", "implicit_loading"]
