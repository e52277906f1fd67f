"""Where in the user's code we are: the innermost line that is neither library nor standard library.

Frames are sorted by their file: the user's own code; packages (installed, but possibly an application);
infrastructure (the standard library, SQLAlchemy, drivers, servers, this package). The class of each
file is looked up once per process, so that a walk costs a few microseconds.
"""

import os
import sys
import sysconfig
from types import CodeType, FrameType
from typing import Any, NamedTuple

__all__ = ["NOWHERE", "Location", "Site", "find_site"]

# fmt: off
_INFRASTRUCTURE = frozenset((
    "_pytest", "aiosqlite", "anyio", "asgiref", "asyncpg", "click", "execnet", "fastapi", "gevent",
    "greenlet", "gunicorn", "h11", "httpcore", "httptools", "httpx", "hypercorn", "hypothesis",
    "opentelemetry", "pluggy", "psycopg", "psycopg2", "psycopg_pool", "pydantic", "pydantic_core",
    "pytest", "pytest_asyncio", "pytest_timeout", "python_multipart", "requests", "rich", "sentry_sdk",
    "sqlalchemy", "sqlmodel", "starlette", "trio", "typer", "urllib3", "uvicorn", "uvicorn_worker",
    "uvloop", "websockets", "werkzeug", "xdist",
))
# fmt: on
_STOP, _SKIP, _PACKAGE, _USER = range(4)
_PATIENCE = 16  # library frames in a row, above user code, after which a server or test runner has begun
_PITSTOP = os.path.dirname(os.path.dirname(os.path.realpath(__file__))) + os.sep
_STDLIB = tuple(
    {os.path.realpath(sysconfig.get_paths()[key]) + os.sep for key in ("stdlib", "platstdlib")}
    | {os.path.realpath(os.path.dirname(os.__file__)) + os.sep}
)
_STOP_FILES = (os.path.join(_PITSTOP, "web", "middleware.py"),)

_classes: dict[str, int] = {}


class Location(NamedTuple):
    """A line of code. Compares equal to the plain tuple ``(file, line, function)``."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} in {self.function}"


class Site(NamedTuple):
    """A line of code and the way that led there.

    Attributes:
        location: the innermost line of the user's code, or None when there is none on the stack.
        stack: equal for two visits of the same instruction by the same chain of user calls; what
            tells a loop from two lines that do alike.
    """

    location: Location | None
    stack: int


NOWHERE = Site(None, 0)


def _classify(filename: str) -> int:
    if filename.startswith("<"):
        return _USER if filename.startswith(("<ipython", "<stdin")) else _SKIP
    path = os.path.realpath(filename)
    if path in _STOP_FILES:
        return _STOP
    for marker in ("site-packages", "dist-packages"):
        _, found, tail = path.partition(os.sep + marker + os.sep)
        if found:
            package = tail.split(os.sep, 1)[0].removesuffix(".py")
            return _SKIP if package in _INFRASTRUCTURE or package == "pitstop" else _PACKAGE
    if path.startswith(_PITSTOP) or path.startswith(_STDLIB):
        return _SKIP
    return _USER


def find_site(depth: int = 1) -> Site:
    """Look for the user's line from the caller of the caller outwards.

    Args:
        depth: frames to leave out from here; 1 is the caller.
    """
    user: tuple[CodeType, FrameType] | None = None
    package: tuple[CodeType, FrameType] | None = None
    user_stack = package_stack = 0
    patience = _PATIENCE
    classes = _classes
    frame: FrameType | None = sys._getframe(depth)
    greenlet = None
    while True:
        while frame is not None:
            code = frame.f_code
            kind = classes.get(code.co_filename)
            if kind is None:
                kind = classes[code.co_filename] = _classify(code.co_filename)
            if kind == _USER:
                patience = _PATIENCE
                user_stack = hash((user_stack, code.co_filename, frame.f_lasti))
                if user is None:
                    user = (code, frame)
            elif kind == _PACKAGE and user is None:
                package_stack = hash((package_stack, code.co_filename, frame.f_lasti))
                if package is None:
                    package = (code, frame)
            elif user is not None:
                patience -= 1
                if not patience:
                    break
            if kind == _STOP:
                break
            frame = frame.f_back
        if frame is not None:
            break
        # Inside SQLAlchemy's greenlet the Python frames end; the task that awaits stands on its parent.
        greenlet = _parent(greenlet)
        if greenlet is None:
            break
        frame = greenlet.gr_frame
    found = user or package
    if found is None:
        return NOWHERE
    code, frame = found
    location = Location(code.co_filename, frame.f_lineno or 0, _function(code))
    return Site(location, user_stack if user else package_stack)


def _function(code: CodeType) -> str:
    """The name of the function; for a comprehension or lambda that of the function it stands in."""
    name = code.co_name
    if not name.startswith("<") or name == "<module>":
        return name
    named = [part for part in code.co_qualname.split(".") if not part.startswith("<")]
    return named[-1] if named else "<module>"


def _parent(current: Any) -> Any:
    """The greenlet that started this one (None at the end, or where no greenlet runs)."""
    if current is not None:
        return current.parent
    module = sys.modules.get("greenlet")
    return module.getcurrent().parent if module is not None else None
