"""Where in the user's code we are: the innermost line that is neither library nor standard library.

Frames are sorted by their file: the user's own code; packages (installed, but possibly an application);
infrastructure (the standard library, SQLAlchemy, drivers, servers, this package). The class of each
file is looked up once per process, so that a walk costs a few microseconds.
"""

import os
import sys
import sysconfig
from itertools import dropwhile
from types import CodeType, FrameType
from typing import Any, NamedTuple

__all__ = ["NOWHERE", "Location", "Site", "find_site"]

# fmt: off
_INFRASTRUCTURE = frozenset((
    "_pytest", "aiosqlite", "anyio", "asgiref", "asyncpg", "click", "execnet", "fastapi", "gevent",
    "greenlet", "gunicorn", "h11", "httpcore", "httptools", "httpx", "hypercorn", "hypothesis", "jinja2",
    "mako", "markupsafe",
    "opentelemetry", "pluggy", "psycopg", "psycopg2", "psycopg_pool", "pydantic", "pydantic_core",
    "pytest", "pytest_asyncio", "pytest_timeout", "python_multipart", "requests", "rich", "sentry_sdk",
    "sqlalchemy", "sqlmodel", "starlette", "trio", "typer", "urllib3", "uvicorn", "uvicorn_worker",
    "uvloop", "websockets", "werkzeug", "xdist",
))
# fmt: on
_STOP, _SKIP, _PACKAGE, _USER = range(4)
_SESSIONS = ("sqlalchemy.orm.session", "sqlalchemy.ext.asyncio.session")
_PATIENCE = 6  # library frames in a row, above user code, after which a server or test runner has begun
_ORM_FRAMES = 40
_MAX_SITES = 4096
_MAX_CALLERS = 3
_PITSTOP = os.path.dirname(os.path.realpath(__file__)) + os.sep
_STDLIB = tuple(
    {os.path.realpath(sysconfig.get_paths()[key]) + os.sep for key in ("stdlib", "platstdlib")}
    | {os.path.realpath(os.path.dirname(os.__file__)) + os.sep}
)
# Where a request begins: what stands above is the server's way to the view, not the view's own.
_STOP_FILES = (
    "pitstop/web/middleware.py",
    "fastapi/routing.py",
    "fastapi/dependencies/utils.py",
    "starlette/routing.py",
)

_classes: dict[str, int] = {}
_sites: dict[int, "Site"] = {}
_held: list[CodeType] = []  # freed code (a notebook's cell) would give its id, and so its site, to other code


class Location(NamedTuple):
    """A line of code. Compares equal to the plain tuple ``(file, line, function)``."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} in {self.function}"

    def short(self) -> str:
        """The same as text, with the path from the working directory where the file is below it."""
        try:
            near = os.path.relpath(self.file)
        except (OSError, ValueError):  # the working directory is gone, or on another drive
            near = ".."
        return str(self if near.startswith("..") else self._replace(file=near))


class Site(NamedTuple):
    """A line of code and the way that led there.

    Attributes:
        location: the innermost line of the user's code, or None when there is none on the stack.
        stack: equal for two visits of the same instruction by the same chain of user calls; what
            tells a loop from two lines that do alike.
        callers: the user's lines that led to ``location``, innermost first, three at the most.
    """

    location: Location | None
    stack: int
    callers: tuple[Location, ...] = ()


NOWHERE = Site(None, 0)


def _classify(filename: str) -> int:
    if filename.startswith("<"):
        return _USER if filename.startswith(("<ipython", "<stdin")) else _SKIP
    path = os.path.realpath(filename)
    if path.replace(os.sep, "/").endswith(_STOP_FILES):
        return _STOP
    for marker in ("site-packages", "dist-packages"):
        _, found, tail = path.partition(os.sep + marker + os.sep)
        if found:
            package = tail.split(os.sep, 1)[0].removesuffix(".py")
            return _SKIP if package in _INFRASTRUCTURE or package == "pitstop" else _PACKAGE
    if path.startswith(_PITSTOP) or path.startswith(_STDLIB):
        return _SKIP
    return _USER


def find_site(depth: int) -> Site:
    """Look for the user's line outwards.

    Args:
        depth: frames to leave out, the caller's being 1: those known not to be the user's.
    """
    try:
        frame: FrameType | None = sys._getframe(depth)
    except ValueError:  # SQLAlchemy's greenlet has a short stack of its own: go on where it was started
        frame = None
    wanted = _USER
    found, stack = _walk(frame, wanted)
    if found is None:  # no code of the user's own: an application that is itself an installed package
        wanted = _PACKAGE
        found, stack = _walk(frame, wanted)
    if found is None:
        return NOWHERE
    site = _sites.get(stack)
    return site if site is not None else _new_site(frame, wanted, stack)


def _new_site(frame: FrameType | None, wanted: int, stack: int) -> Site:
    frames: list[FrameType] = []
    _walk(frame, wanted, into=frames)
    location, *callers = _locations(list(dropwhile(_hands_on, frames)) or frames)
    site = Site(location, stack, tuple(callers[:_MAX_CALLERS]))
    if len(_sites) >= _MAX_SITES:
        _sites.clear()
        _held.clear()
    _sites[stack] = site
    _held.extend(each.f_code for each in frames)
    return site


def _hands_on(frame: FrameType) -> bool:
    """Whether it is a session's own ``execute`` (or the like) that a class of the user's overrides: whoever
    called it is meant.
    """
    known = type(frame.f_locals.get("self")).__mro__
    name = frame.f_code.co_name
    return any(each.__module__ in _SESSIONS and name in vars(each) for each in known)


def _locations(frames: list[FrameType]) -> list[Location]:
    """The lines of frames; a comprehension and the function that it stands in are one."""
    found: list[Location] = []
    inner = ""
    for frame in frames:
        code = frame.f_code
        location = Location(code.co_filename, frame.f_lineno or 0, _function(code))
        if not (inner.startswith("<") and found[-1][::2] == location[::2]):
            found.append(location)
        inner = code.co_name
    return found


def _walk(
    frame: FrameType | None, wanted: int, *, into: list[FrameType] | None = None
) -> tuple[FrameType | None, int]:
    """The innermost frame of a class, and a hash of all frames of that class, which go ``into`` a list."""
    found: FrameType | None = None
    stack = 0
    left = _PATIENCE
    greenlet = None
    while True:
        while frame is not None:
            filename = frame.f_code.co_filename
            kind = _classes.get(filename)
            if kind is None:
                kind = _classes[filename] = _classify(filename)
            if kind == wanted:
                stack = hash((stack, id(frame.f_code), frame.f_lasti))
                found = found or frame
                # between a session's own execute and the attribute that made it load stands all of the ORM
                left = _PATIENCE if frame.f_code.co_name != "execute" else _ORM_FRAMES
                if into is not None:
                    into.append(frame)
            elif kind == _STOP or (found is not None and not (left := left - 1)):
                return found, stack
            frame = frame.f_back
        # Inside SQLAlchemy's greenlet the Python frames end; the task that awaits stands on its parent.
        greenlet = _parent(greenlet)
        if greenlet is None:
            return found, stack
        frame = greenlet.gr_frame


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
