"""How a file spells a class or a function, and the imports it lacks."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import libcst as cst
from libcst.helpers import get_full_name_for_node
from libcst.metadata import Assignment, ImportAssignment

from pitstop.advisor.fix.importing import Imported, NewImports, imports_of
from pitstop.advisor.fix.module import Module
from pitstop.advisor.fix.package import exports, inherits
from pitstop.advisor.fix.source import Edit
from pitstop.errors import FixRefused

__all__ = ["Home", "Identity", "Names", "homes"]

LOADERS = "sqlalchemy.orm"


@dataclass(frozen=True, slots=True)
class Home:
    """Where a name of a cure lives: its own name there, and the module, "" when unknown."""

    name: str
    module: str


@dataclass(frozen=True, slots=True)
class Identity:
    """What an expression in a file stands for: a class by its own name, or an alias of it."""

    name: str
    imported: Imported | None = None
    alias: bool = False


def homes(lines: Iterable[str]) -> dict[str, Home]:
    """Read import lines: local name to home. Lines that are no ``from`` import are left out."""
    found: dict[str, Home] = {}
    for line in lines:
        try:
            statements = ast.parse(line.strip()).body
        except SyntaxError:
            continue
        for statement in statements:
            if isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
                for each in statement.names:
                    found[each.asname or each.name] = Home(each.name, statement.module)
    return found


class Names:
    """The names of one module, and what has to be imported into it."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.imports = list(imports_of(module))
        self.new = NewImports(module, self.imports)

    def edits(self) -> list[Edit]:
        """The edits that bring in what ``spell`` promised."""
        return self.new.edits()

    def identify(self, expression: cst.BaseExpression, *, at: cst.CSTNode) -> Identity | None:
        """What class an expression names, or None if the file alone does not tell."""
        text = get_full_name_for_node(expression)
        if text is None or not isinstance(expression, cst.Name | cst.Attribute):
            return None
        for each in self.imports:
            if self._bound(each, at=at):
                name = each.member(text)
                if name is not None:
                    return Identity(name, each)
        return self._local(expression, at=at) if isinstance(expression, cst.Name) else None

    def _local(self, name: cst.Name, *, at: cst.CSTNode) -> Identity | None:
        bindings = self.module.bindings(name.value, at=at)
        if len(bindings) != 1 or not isinstance(bindings[0], Assignment):
            return None
        node = bindings[0].node
        if isinstance(node, cst.ClassDef):
            return Identity(name.value)
        value = assigned_value(self.module, node)
        if isinstance(value, cst.Call) and _called(value) == "aliased" and value.args:
            target = self.identify(value.args[0].value, at=value)
            return target and Identity(target.name, target.imported, alias=True)
        return self.identify(value, at=value) if isinstance(value, cst.Name | cst.Attribute) else None

    @property
    def loaders(self) -> dict[str, str]:
        """The local names of what is imported under another name, and the names proper."""
        return {each.local: each.name for each in self.imports if each.name and each.local != each.name}

    def is_select(self, name: cst.Name, *, at: cst.CSTNode) -> bool:
        """Whether a name is SQLAlchemy's ``select``, imported under it."""
        return any(
            each.local == name.value and each.name == "select" and self._bound(each, at=at)
            for each in self.imports
            if each.module[:1] in (("sqlalchemy",), ("sqlmodel",))
        )

    def same(self, identity: Identity, home: Home) -> bool:
        """Whether an expression names the class of a cure.

        A class may be imported from a package that re-exports it, so its name decides, unless the
        file holds a class of this name from exactly the cure's module as well. A subclass will do;
        a home without a name is any class.
        """
        if not home.name:
            return True
        if identity.name != home.name:
            module = identity.imported.module if identity.imported is not None else ()
            return inherits(self.module.source.path, module, identity.name, base=home.name)
        imported = identity.imported
        if imported is None or imported.provides(home.name, home.module):
            return True
        if imported.qualified(home.name, home.module):
            return True
        return not any(each.provides(home.name, home.module) and each.name for each in self.imports)

    def spell(self, home: Home, *, at: cst.CSTNode) -> str:
        """The spelling of a class or function where ``at`` stands; imports it where it is missing.

        Raises:
            FixRefused: it cannot be imported.
        """
        known = next(self._known(home, at=at), None)
        if known is not None:
            return known
        if home.module in ("", "__main__"):
            raise FixRefused(f"{home.name} is not known in the file and cannot be imported from anywhere")
        return self.new.add(home.name, home.module, at=at)

    def _known(self, home: Home, *, at: cst.CSTNode) -> Iterator[str]:
        usable = [each for each in self.imports if self._bound(each, at=at) and self._runs_before(each, at)]
        for each in usable:
            if each.name == home.name and (each.provides(home.name, home.module) or home.module == LOADERS):
                yield each.local
        if self._own_class(home, at=at):
            yield home.name
        yield from filter(None, (each.qualified(home.name, home.module) for each in usable))
        if home.module == LOADERS:
            yield from (f"{each.local}.orm.{home.name}" for each in usable if self._orm_attribute(each))
        path = self.module.source.path
        for each in usable:
            if each.may_export_from(each.whole, home.module) and exports(path, each.whole, home.name):
                yield f"{each.local}.{home.name}"
        for each in usable:
            if each.name == home.name and each.may_export(home.module):
                yield each.local
        if not self.module.bindings(home.name, at=at) and any(
            each.name == "*" and each.provides("*", home.module) for each in self.imports
        ):
            yield home.name

    def _own_class(self, home: Home, *, at: cst.CSTNode) -> bool:
        if home.module not in ("", "__main__") and not is_module(self.module.source.path, home.module):
            return False
        return any(
            isinstance(each, Assignment) and isinstance(each.node, cst.ClassDef)
            for each in self.module.bindings(home.name, at=at)
        )

    def _orm_attribute(self, imported: Imported) -> bool:
        plain = imported.name is None and imported.module == ("sqlalchemy",)
        return plain and f"{imported.local}.orm." in self.module.source.text

    def _bound(self, imported: Imported, *, at: cst.CSTNode) -> bool:
        """Whether the local name of an import still means that import where ``at`` stands."""
        if not self.module.visible_at_run_time(imported.node):
            return False
        local = imported.local if "." in imported.local else imported.local.split(".")[0]
        found = self.module.bindings(local, at=at)
        return bool(found) and all(
            isinstance(each, ImportAssignment) and self._gives(each.node, imported) for each in found
        )

    def _gives(self, node: cst.CSTNode, imported: Imported) -> bool:
        # try: from a import X / except ImportError: from b import X - either may have run
        return node is imported.node or any(
            each.node is node and each.local == imported.local for each in self.imports
        )

    def _runs_before(self, imported: Imported, at: cst.CSTNode) -> bool:
        same_function = self.module.function(imported.node) is self.module.function(at)
        return not same_function or self.module.start(imported.node) < self.module.start(at)


def is_module(path: Path, module: str) -> bool:
    """Whether a file can be the module of this dotted name."""
    parts = path.with_suffix("").parts
    parts = parts[:-1] if parts[-1] == "__init__" else parts
    wanted = tuple(module.split("."))
    return parts[-len(wanted) :] == wanted


def assigned_value(module: Module, target: cst.CSTNode) -> cst.BaseExpression | None:
    """The value that ``target = value`` binds, or None where the target is bound in another way."""
    parent = module.parent(target)
    if isinstance(parent, cst.NamedExpr) and parent.target is target:
        return parent.value
    if isinstance(parent, cst.AnnAssign) and parent.target is target:
        return parent.value
    if isinstance(parent, cst.AssignTarget):
        statement = module.parent(parent)
        return statement.value if isinstance(statement, cst.Assign) else None
    return None


def _called(call: cst.Call) -> str:
    return call.func.attr.value if isinstance(call.func, cst.Attribute) else getattr(call.func, "value", "")
