"""Wide columns that a route loads and its response model cannot show.

Each statement of a route is looked at once, in the recorder's thread. A column is told only if nothing
speaks for its use: no field of the response models has its name, and no attribute or string of that name
stands in the modules of the endpoint and its dependencies, in modules whose functions these use, in those of
the mapped class and the response models, or in the file of the query.
"""

import ast
import sys
import sysconfig
from collections import deque
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from pitstop.advisor.response import response_fields, response_models
from pitstop.postgres.selection import selected_columns
from pitstop.scope import Handler
from pitstop.store import UnusedColumn

if TYPE_CHECKING:
    from pitstop.sql import Location

__all__ = ["ColumnSearch"]

_MAX_SEEN = 20_000
_STDLIB = sysconfig.get_paths()["stdlib"]
_SHORT = 256  # of characters that a column may hold

Mapped = tuple[type, str, Any]  # class, attribute, column
_Loaded = tuple[str, "Location | None", str]  # fingerprint, line and text of a statement


class ColumnSearch:
    """Remembers the handlers of routes, and which of their statements were looked at.

    ``note`` is called where a request ends and only takes note; ``search`` reads source files.
    """

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}
        self._seen: set[tuple[str, str]] = set()
        self._waiting: deque[tuple[str, str, _Loaded]] = deque()

    def note(self, kind: str, name: str, handler: Handler | None, statements: "Iterable[_Loaded]") -> None:
        """Take note of what a request executed.

        Args:
            kind, name: of its scope.
            handler: what answers it; told once for each route.
            statements: fingerprint, line and text of each.
        """
        if handler is not None:
            self._handlers[name] = handler
        if name not in self._handlers:
            return
        for statement in statements:
            key = (name, statement[0])
            if key not in self._seen and len(self._seen) < _MAX_SEEN:
                self._seen.add(key)
                self._waiting.append((kind, name, statement))

    def search(self) -> list[UnusedColumn]:
        """The unused columns of what was taken note of."""
        found: list[UnusedColumn] = []
        while self._waiting:
            kind, name, statement = self._waiting.popleft()
            found += _unused(kind, name, statement, self._handlers[name])
        return found


def _unused(kind: str, name: str, statement: "_Loaded", handler: Handler) -> Iterator[UnusedColumn]:
    digest, location, text = statement
    models = response_models(handler.response_model)
    loaded = list(_wide_columns(text)) if models and location is not None else []
    if not loaded or models is None or location is None:
        return
    fields = response_fields(models)
    modules = _near(handler.modules) | {model.__module__ for model in models}
    for owner, attribute, column in loaded:
        about = modules | {each.__module__ for each in owner.__mro__}
        files = {location.file, *filter(_is_own, map(_file_of, about))}
        if attribute not in fields and not any(_mentions(file, attribute) for file in files):
            yield UnusedColumn(
                *(kind, name, digest, location),
                *(owner.__name__, attribute, column.table.name, column.name, _type_name(column)),
            )


def _near(modules: Iterable[str]) -> set[str]:
    """Modules, and those that the functions and modules in them come from."""
    found = set(modules)
    for module in modules:
        for value in list(vars(sys.modules.get(module, object)).values()):
            if isinstance(value, (ModuleType, FunctionType)):
                found.add(value.__name__ if isinstance(value, ModuleType) else value.__module__)
    return found


def _wide_columns(text: str) -> Iterator[Mapped]:
    """The mapped columns in a statement's list whose type may be wide."""
    selected = selected_columns(text)
    for table in {table for table, _ in selected}:
        mapped = [each for each in _mapped(table) if (table, each[2].name) in selected]
        for found in mapped:
            owners = {each[:2] for each in mapped if each[2].name == found[2].name}
            if len(owners) == 1 and _type_name(found[2]):
                yield found


def _mapped(table: str) -> Iterator[Mapped]:
    """Class, attribute and column of each mapped column of a table; of subclasses in it, the one above."""
    mapping: Any = sys.modules.get("sqlalchemy.orm.mapper")
    registries: Any = getattr(mapping, "_all_registries", tuple)  # there is no public list of all
    for mapper in [mapper for registry in registries() for mapper in registry.mappers]:
        if mapper.local_table is not None and getattr(mapper.local_table, "name", None) == table:
            for attribute in mapper.column_attrs:
                column = attribute.columns[0]
                owner = attribute.parent.base_mapper if attribute.parent.single else attribute.parent
                if getattr(column, "table", None) is mapper.local_table:
                    yield owner.class_, attribute.key, column


def _type_name(column: Any) -> str:
    """``text``, ``json``, ``bytes`` or ``string``; empty for a type that is never wide."""
    from sqlalchemy import JSON, Enum, LargeBinary, String, Text

    kind = column.type
    for name, wide in (("text", Text), ("json", JSON), ("bytes", LargeBinary)):
        if isinstance(kind, wide):
            return name
    long = isinstance(kind, String) and not isinstance(kind, Enum) and (kind.length or _SHORT) >= _SHORT
    return "string" if long else ""


def _file_of(module: str) -> str:
    return getattr(sys.modules.get(module), "__file__", None) or ""


def _is_own(file: str) -> bool:
    """Whether a file is the application's: no package that is installed, nor the standard library."""
    return bool(file) and "site-packages" not in file and not file.startswith(_STDLIB)


@lru_cache(maxsize=256)
def _words_of(file: str) -> frozenset[str] | None:
    """The attributes and strings in a source file; None when it cannot be read."""
    try:
        tree = ast.parse(Path(file).read_text("utf-8"))
    except (OSError, ValueError, SyntaxError):
        return None
    words = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return frozenset(words) | {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def _mentions(file: str, attribute: str) -> bool:
    """Whether code in a file may use an attribute; of a file that cannot be read it is assumed."""
    words = _words_of(file)
    return words is None or attribute in words
