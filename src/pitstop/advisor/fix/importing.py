"""The imports of a file: what each brings, and the ones that a fix adds."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count

import libcst as cst
from libcst.helpers import get_full_name_for_node
from libcst.metadata import BuiltinAssignment

from pitstop.advisor.fix.module import Module
from pitstop.advisor.fix.package import exports
from pitstop.advisor.fix.source import Edit, indentation
from pitstop.errors import FixRefused

__all__ = ["Imported", "NewImports", "imports_of"]

ImportNode = cst.Import | cst.ImportFrom


@dataclass(frozen=True, slots=True, eq=False)
class Imported:
    """One name that an import brings.

    Attributes:
        local: the name in this file; dotted for ``import a.b``; "*" for a star.
        module: the parts of the module; for a relative import the parts of its path on disk.
        name: the name in the module; None where the module itself is imported.
        level: the dots of a relative import.
        node: the statement.
    """

    local: str
    module: tuple[str, ...]
    name: str | None
    level: int
    node: ImportNode

    def provides(self, name: str, module: str) -> bool:
        """Whether it brings this name of this module, or the module itself."""
        if self.name is None:
            return self._is(self.module, module)
        return self.name == name and self._is(self.module, module)

    def member(self, text: str) -> str | None:
        """The own name of what ``text`` spells in this file, if it comes through this import."""
        if text == self.local:
            return self.name
        head, _, last = text.rpartition(".")
        return last if head and head == self.local else None

    def qualified(self, name: str, module: str) -> str | None:
        """``models.Post`` if this import brings the module that holds the class."""
        return f"{self.local}.{name}" if self._is(self.whole, module) else None

    @property
    def whole(self) -> tuple[str, ...]:
        """The module it brings, if it is a module that it brings."""
        return self.module if self.name is None else (*self.module, self.name)

    def may_export(self, module: str) -> bool:
        """Whether it imports from a package around ``module``, which may re-export its names."""
        return self.may_export_from(self.module, module)

    def may_export_from(self, package: tuple[str, ...], module: str) -> bool:
        """Whether ``package`` is around ``module``."""
        parts = tuple(module.split("."))
        return any(self._is(package, ".".join(parts[:length])) for length in range(1, len(parts)))

    def _is(self, mine: tuple[str, ...], module: str) -> bool:
        wanted = tuple(module.split("."))
        return mine[-len(wanted) :] == wanted if self.level else mine == wanted


def imports_of(module: Module) -> Iterator[Imported]:
    """Every import of a file, wherever it stands."""
    for node in sorted(module.every(cst.Import), key=module.start):
        for alias in node.names:
            name = get_full_name_for_node(alias.name) or ""
            yield Imported(_as_name(alias) or name, tuple(name.split(".")), None, 0, node)
    for each in sorted(module.every(cst.ImportFrom), key=module.start):
        home = _module_parts(module, each)
        if isinstance(each.names, cst.ImportStar):
            yield Imported("*", home, "*", len(each.relative), each)
            continue
        for alias in each.names:
            name = get_full_name_for_node(alias.name) or ""
            yield Imported(_as_name(alias) or name, home, name, len(each.relative), each)


def _as_name(alias: cst.ImportAlias) -> str:
    return alias.asname.name.value if alias.asname and isinstance(alias.asname.name, cst.Name) else ""


def _module_parts(module: Module, node: cst.ImportFrom) -> tuple[str, ...]:
    name = (get_full_name_for_node(node.module) or "") if node.module else ""
    parts = tuple(name.split(".")) if name else ()
    if not node.relative:
        return parts
    directory = module.source.path.parent.parts
    return directory[: len(directory) - len(node.relative) + 1] + parts


@dataclass(slots=True)
class NewImports:
    """The names that a file has to import, and where they go."""

    module: Module
    imports: list[Imported]
    wanted: dict[tuple[str, str, cst.CSTNode | None], str] = field(default_factory=dict)

    def add(self, name: str, home: str, *, at: cst.CSTNode) -> str:
        """Import ``name`` from ``home`` for the code at ``at``; the local name it gets."""
        statement = self._statement_for(name, home, at)
        key = (name, home, statement)
        if key not in self.wanted:
            self.wanted[key] = self._free_name(name, at)
        return self.wanted[key]

    def _free_name(self, name: str, at: cst.CSTNode) -> str:
        taken = set(self.wanted.values())
        other = f"{name}Model" if name[:1].isupper() else f"{name}_"
        candidates = (name, other, *(f"{other}{number}" for number in range(2, 10)))
        for candidate in candidates:
            if candidate not in taken and self._free(candidate, at):
                return candidate
        raise FixRefused(f"no free name to import {name} under")

    def _free(self, name: str, at: cst.CSTNode) -> bool:
        bindings = [
            *self.module.bindings(name, at=at),
            *self.module.globals[name],
        ]
        return all(
            isinstance(each, BuiltinAssignment)
            or not self.module.visible_at_run_time(getattr(each, "node", at))
            for each in bindings
        )

    def _statement_for(self, name: str, home: str, at: cst.CSTNode) -> cst.ImportFrom | None:
        """A ``from home import ...`` that the code at ``at`` sees, to be extended."""
        for each in self.imports:
            node = each.node
            if not isinstance(node, cst.ImportFrom) or each.name == "*":
                continue
            here = each.provides(each.name or "", home)
            here = here or (each.may_export(home) and exports(self.module.source.path, each.module, name))
            if here and self._serves(node, at):
                return node
        return None

    def _serves(self, node: cst.ImportFrom, at: cst.CSTNode) -> bool:
        module = self.module
        around = [each for each in module.ancestors(node) if not isinstance(each, cst.SimpleStatementLine)]
        if any(isinstance(each, cst.If | cst.Try | cst.ClassDef | cst.For | cst.With) for each in around):
            return False
        owner = module.function(node)
        if owner is None:
            return module.function(at) is not None or module.start(node) < module.start(at)
        return owner in module.ancestors(at) and module.start(node) < module.start(at)

    def edits(self) -> list[Edit]:
        """The edits for all names asked for."""
        extended: dict[cst.ImportFrom, list[str]] = {}
        fresh: dict[str, list[str]] = {}
        for (name, home, statement), local in self.wanted.items():
            spelled = name if local == name else f"{name} as {local}"
            if isinstance(statement, cst.ImportFrom):
                extended.setdefault(statement, []).append(spelled)
            else:
                fresh.setdefault(home, []).append(spelled)
        edits = [edit for node, names in extended.items() for edit in _extension(self.module, node, names)]
        return edits + [self._line(home, names) for home, names in sorted(fresh.items())]

    def _line(self, home: str, names: list[str]) -> Edit:
        source = f"from {self._relative(home) or home} import {', '.join(sorted(names))}"
        newline = self.module.source.newline
        after = self._neighbour(home)
        if after is not None:
            end = self.module.end(after)
            stop = self.module.data.find(b"\n", end)
            if stop >= 0:
                return Edit(stop + 1, stop + 1, source + newline)
            return Edit(len(self.module.data), len(self.module.data), newline + source)
        return self._first_line(source + newline)

    def _first_line(self, line: str) -> Edit:
        """For a file that imports nothing: below the docstring, above all else."""
        body = self.module.tree.body
        newline = self.module.source.newline
        if body and self.module.tree.get_docstring(clean=False) is not None:
            stop = self.module.data.find(b"\n", self.module.end(body[0]))
            if stop >= 0:
                return Edit(stop + 1, stop + 1, newline + line)
        top: cst.CSTNode | None = body[0] if body else None
        if isinstance(top, cst.FunctionDef | cst.ClassDef) and top.decorators:
            top = top.decorators[0]
        first = self.module.line_start(self.module.start(top)) if top else 0
        return Edit(first, first, line + newline)

    def _neighbour(self, home: str) -> cst.CSTNode | None:
        """The import line to stand below: the last of the same top package, else the last."""
        lines = list(self._leading())
        top = home.split(".", maxsplit=1)[0]
        related = [
            each
            for each in lines
            if any(self._of_package(imported, top) for imported in self.imports if imported.node in each.body)
        ]
        candidates = related or lines
        return candidates[-1] if candidates else None

    def _of_package(self, imported: Imported, top: str) -> bool:
        return top in imported.module if imported.level else imported.module[0] == top

    def _leading(self) -> Iterable[cst.SimpleStatementLine]:
        """The import lines of the module before its first definition."""
        for statement in self.module.tree.body:
            if isinstance(statement, cst.FunctionDef | cst.ClassDef):
                return
            if isinstance(statement, cst.SimpleStatementLine) and any(
                isinstance(each, cst.Import | cst.ImportFrom) for each in statement.body
            ):
                yield statement

    def _relative(self, home: str) -> str | None:
        """``.models`` where the file itself imports relatively from this package."""
        parts = home.split(".")
        mine = list(self.module.source.path.parent.parts)
        if any(not each.level and each.module[:1] == (parts[0],) for each in self.imports):
            return None
        if not any(each.level for each in self.imports) or parts[0] not in mine:
            return None
        package = mine[len(mine) - 1 - mine[::-1].index(parts[0]) :]
        shared = sum(1 for _ in _common(package, parts))
        return "." * (len(package) - shared + 1) + ".".join(parts[shared:])


def _common(left: list[str], right: list[str]) -> Iterator[str]:
    for position in count():
        if position >= min(len(left), len(right)) or left[position] != right[position]:
            return
        yield left[position]


def _extension(module: Module, node: cst.ImportFrom, names: list[str]) -> Iterator[Edit]:
    """Add names to a ``from x import ...``: in order where the names are in order."""
    if isinstance(node.names, cst.ImportStar):
        raise FixRefused("a star import cannot be extended")
    aliases = list(node.names)
    present = [module.code(each.name) for each in aliases]
    in_order = present == sorted(present, key=_import_order)
    for name in sorted(names, key=_import_order):
        later = [
            alias
            for alias, key in zip(aliases, present, strict=True)
            if _import_order(key) > _import_order(name)
        ]
        if in_order and later:
            first = later[0]
            yield Edit(
                module.start(first),
                module.start(first),
                f"{name}, " if not _own_line(module, first) else _with_break(module, first, name),
            )
        else:
            yield _appended(module, aliases[-1], name)


def _import_order(name: str) -> tuple[int, str]:
    # the order of isort and ruff: CONSTANTS, Classes, functions
    name = name.split(" ", maxsplit=1)[0]
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return kind, name


def _appended(module: Module, last: cst.ImportAlias, name: str) -> Edit:
    end = module.end(last.asname.name if last.asname else last.name)
    if _own_line(module, last):
        if "#" in module.line_text(end):  # a comment stays with the name it is about
            start = module.start(last)
            return Edit(start, start, _with_break(module, last, name))
        indent = indentation(module.line_text(module.start(last)))
        return Edit(end, end, f",{module.source.newline}{indent}{name}")
    return Edit(end, end, f", {name}")


def _own_line(module: Module, alias: cst.ImportAlias) -> bool:
    start = module.start(alias)
    return not module.data[module.line_start(start) : start].strip()


def _with_break(module: Module, alias: cst.ImportAlias, name: str) -> str:
    return f"{name},{module.source.newline}{indentation(module.line_text(module.start(alias)))}"
