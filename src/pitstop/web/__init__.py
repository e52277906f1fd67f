"""What meets HTTP: the ASGI middleware that makes a scope of every request."""

from pitstop.web.middleware import ObserveMiddleware

__all__ = ["ObserveMiddleware"]
