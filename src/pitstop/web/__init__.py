"""What meets HTTP: ASGI middleware, and implicit loading in async endpoints and their responses."""

from pitstop.web.busy import BusyMiddleware
from pitstop.web.implicit import implicit_loading
from pitstop.web.middleware import ObserveMiddleware

__all__ = ["BusyMiddleware", "ObserveMiddleware", "implicit_loading"]
