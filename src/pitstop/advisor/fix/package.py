"""What other files of a project say of themselves: the names of a package, the bases of a class.

They are read and parsed, never imported: importing runs the user's code.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

__all__ = ["exports", "inherits"]

Parts = tuple[str, ...]
_DEPTH = 5


def exports(path: Path, package: Parts, name: str) -> bool:
    """Whether a package, as imported by the file at ``path``, says itself that it has this name."""
    file = _file(path, package)
    if file is None or file.name != "__init__.py":
        return False
    return any(name in _bound_by(statement) for statement in _body(file))


def inherits(path: Path, module: Parts, name: str, *, base: str) -> bool:
    """Whether a class is a subclass of ``base``, as far as the sources tell.

    Args:
        path: the file that uses the class.
        module: the module it is imported from; () where it is defined in ``path`` itself.
        name: the class.
        base: the own name of the other class.
    """
    file = _file(path, module) if module else path
    return file is not None and any(each == base for each in _ancestors(file, name, depth=_DEPTH))


def _ancestors(file: Path, name: str, *, depth: int) -> Iterator[str]:
    if depth == 0:
        return
    for statement in _body(file):
        if isinstance(statement, ast.ClassDef) and statement.name == name:
            for each in statement.bases:
                above = each.attr if isinstance(each, ast.Attribute) else getattr(each, "id", "")
                yield above
                yield from _ancestors(file, above, depth=depth - 1)
        elif isinstance(statement, ast.ImportFrom) and name in _bound_by(statement):
            own = next(each.name for each in statement.names if (each.asname or each.name) == name)
            origin = _file(file, _imported_from(file, statement))
            if origin is not None:
                yield own
                yield from _ancestors(origin, own, depth=depth - 1)


def _imported_from(file: Path, statement: ast.ImportFrom) -> Parts:
    parts = tuple((statement.module or "").split(".")) if statement.module else ()
    if not statement.level:
        return parts
    directory = file.parent.parts
    return directory[: len(directory) - statement.level + 1] + parts


def _file(path: Path, module: Parts) -> Path | None:
    """The file of a module, looked for beside ``path`` and in every directory above it."""
    for root in (Path(), *path.parents) if module else ():
        place = root.joinpath(*module)
        for candidate in (place / "__init__.py", place.with_name(f"{place.name}.py")):
            if candidate.is_file():
                return candidate
    return None


def _body(file: Path) -> list[ast.stmt]:
    try:
        return ast.parse(file.read_bytes()).body
    except (OSError, SyntaxError, ValueError):
        return []


def _bound_by(statement: ast.stmt) -> set[str]:
    if isinstance(statement, ast.ImportFrom):
        return {each.asname or each.name for each in statement.names}
    return {statement.name} if isinstance(statement, ast.ClassDef) else set()
