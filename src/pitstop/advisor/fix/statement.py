"""Where a statement is made: from the expression that is executed back to ``select(...)``."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import libcst as cst
from libcst.metadata import Assignment, BaseAssignment, BuiltinAssignment, ImportAssignment

from pitstop.advisor.fix.chain import Chain, called, chain_of
from pitstop.advisor.fix.cure import Parameter
from pitstop.advisor.fix.flow import reaching
from pitstop.advisor.fix.module import Module
from pitstop.advisor.fix.names import Home, Names, assigned_value
from pitstop.errors import FixRefused

__all__ = ["HandedIn", "NotAStatement", "Site", "Statements"]

SET_OPERATIONS = frozenset({"union", "union_all", "intersect", "intersect_all", "except_", "except_all"})
REPLACING = SET_OPERATIONS | {
    "alias", "as_scalar", "cte", "exists", "from_self", "from_statement", "lateral", "returning",
    "scalar_subquery", "select", "subquery", "with_entities", "with_only_columns",
}  # fmt: skip


class NotAStatement(FixRefused):
    """The expression does not look like a statement at all."""


class HandedIn(FixRefused):
    """The statement is a parameter of the function that executes it: its caller makes it.

    Attributes:
        parameter: which.
    """

    def __init__(self, message: str, parameter: Parameter) -> None:
        super().__init__(message)
        self.parameter = parameter


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """A place that takes options.

    Attributes:
        at: what the options go behind: ``select(Post)``, ``stmt``, ``base()``; for ``get`` the call.
        root: how the root class is spelled there.
        chain: the chain that starts there; None for ``session.get(...)``.
        options: the ``.options(...)`` calls that always apply to the statement, its own last.
        locks: whether the statement says FOR UPDATE.
        maybe: the ``.options(...)`` calls that only some branch applies.
    """

    at: cst.BaseExpression
    root: str
    chain: Chain | None
    options: tuple[cst.Call, ...] = ()
    locks: bool = False
    maybe: tuple[cst.Call, ...] = ()


@dataclass(frozen=True, slots=True)
class _Passing:
    """What a name goes through between two assignments: ``stmt = stmt.where(...)``.

    Attributes:
        chain: the links.
        sure: whether every way to the use goes through it.
    """

    chain: Chain
    sure: bool


@dataclass(slots=True)
class Statements:
    """Finds the sites of the statements that select one class.

    Attributes:
        module: the module that holds them.
        names: its names.
        wanted: the root class of the cure.
    """

    module: Module
    names: Names
    wanted: Home
    _seen: set[cst.CSTNode] = field(default_factory=set)

    def sites(self, expression: cst.BaseExpression, *, at: cst.CSTNode) -> list[Site]:
        """The sites of a statement.

        Args:
            expression: the statement, as it is handed to the session.
            at: the node that uses it.

        Raises:
            NotAStatement: the expression has nothing to do with a statement.
            FixRefused: the statement cannot be followed to its source, or takes no such option.
        """
        if isinstance(expression, cst.NamedExpr):
            return self.sites(expression.value, at=at)
        if isinstance(expression, cst.IfExp):
            return self._merged([expression.body, expression.orelse], at=at)
        chain = self._chain(expression)
        self._check(chain)
        found = self._base_sites(chain, at=at)
        return [
            replace(
                site,
                options=site.options if site.chain is chain else (*site.options, *chain.options),
                locks=site.locks or chain.locks,
            )
            for site in found
        ]

    def _base_sites(self, chain: Chain, *, at: cst.CSTNode) -> list[Site]:
        if chain.entities is not None:
            return [Site(chain.base, self._root(chain), chain, chain.options, chain.locks)]
        if isinstance(chain.base, cst.Name):
            return self._from_name(chain, chain.base, at=at)
        if isinstance(chain.base, cst.Call):
            return self._from_call(chain, chain.base, at=at)
        if isinstance(chain.base, cst.IfExp | cst.NamedExpr):
            return self.sites(chain.base, at=at)
        if isinstance(chain.base, cst.Attribute):
            raise FixRefused(f"the statement comes from elsewhere: {self.module.code(chain.base)}")
        raise NotAStatement("this is no statement")

    def _chain(self, expression: cst.BaseExpression) -> Chain:
        """The chain, also where ``select`` is imported under another name."""
        chain = chain_of(expression)
        base = chain.base
        if not (isinstance(base, cst.Call) and isinstance(base.func, cst.Name)):
            return chain
        if chain.entities is not None or not self.names.is_select(base.func, at=base):
            return chain
        return replace(chain, entities=tuple(each.value for each in base.args if each.keyword is None))

    def _check(self, chain: Chain) -> None:
        for link in chain.links:
            if link.name in REPLACING:
                raise FixRefused(f"the statement goes through {link.name}(), which takes no loader option")

    def _root(self, chain: Chain) -> str:
        """How a base spells the wanted class."""
        assert chain.entities is not None
        matching: set[str] = set()
        for entity in chain.entities:
            identity = self.names.identify(entity, at=chain.base)
            if identity is not None and self.names.same(identity, self.wanted):
                matching.add(self.module.code(entity))
        if len(matching) == 1:
            return matching.pop()
        code = self.module.code(chain.base)
        if matching:
            raise FixRefused(
                f"{code} selects {self.wanted.name} more than once: {', '.join(sorted(matching))}"
            )
        raise FixRefused(f"{code} selects no {self.wanted.name + ' ' if self.wanted.name else ''}entity")

    def _merged(self, expressions: Iterable[cst.BaseExpression], *, at: cst.CSTNode) -> list[Site]:
        """The sites of all; those of other classes are left out as long as one is of this class."""
        found: list[Site] = []
        refusals: list[FixRefused] = []
        for each in expressions:
            try:
                found += self.sites(each, at=at)
            except FixRefused as refusal:
                if self._chain(each).entities is None or "selects no" not in str(refusal):
                    raise
                refusals.append(refusal)
        if refusals and not found:
            raise refusals[0]
        return list({site.at: site for site in found}.values())

    def _from_name(self, chain: Chain, name: cst.Name, *, at: cst.CSTNode) -> list[Site]:
        bindings = self.module.bindings(name.value, at=at)
        if not bindings or any(isinstance(each, BuiltinAssignment) for each in bindings):
            raise NotAStatement(f"{name.value} is not bound in this file")
        targets = [self._target(name.value, each) for each in bindings]
        values: list[cst.BaseExpression] = []
        passing: list[_Passing] = []
        for target, certain in reaching(self.module, targets, use=at):
            value = self._value(name.value, target)
            for part in _branches(value):
                if chain_of(part).base is not value and _is_name(chain_of(part).base, name.value):
                    self._check(chain_of(part))
                    passing.append(_Passing(chain_of(part), sure=certain and part is value))
                elif not (_is_name(part, "None") or _is_name(part, name.value)):
                    values.append(part)
        return self._through(values, passing, chain, name, at=at)

    def _through(
        self,
        values: list[cst.BaseExpression],
        passing: list["_Passing"],
        chain: Chain,
        name: cst.Name,
        *,
        at: cst.CSTNode,
    ) -> list[Site]:
        if not values:
            raise FixRefused(f"no statement is assigned to {name.value} before it is executed")
        if name in self._seen:
            raise FixRefused(f"{name.value} is assigned in a circle")
        self._seen.add(name)
        try:
            found = self._merged(values, at=values[0])
        finally:
            self._seen.discard(name)
        extra = tuple(call for each in passing if each.sure for call in each.chain.options)
        maybe = tuple(call for each in passing if not each.sure for call in each.chain.options)
        locks = any(each.chain.locks for each in passing)
        found = [
            replace(s, options=(*s.options, *extra), locks=s.locks or locks, maybe=(*s.maybe, *maybe))
            for s in found
        ]
        return self._shared(found, chain, name, at=at)

    def _shared(self, found: list[Site], chain: Chain, name: cst.Name, *, at: cst.CSTNode) -> list[Site]:
        """A module constant with other users keeps its shape: the options go where it is used."""
        if self.module.scope(at) is self.module.globals or len(found) != 1:
            return found
        bindings = self.module.bindings(name.value, at=at)
        constant = all(each.scope is self.module.globals for each in bindings)
        if not constant or sum(len(each.references) for each in bindings) <= 1:
            return found
        options = (*found[0].options, *chain.options)
        only = found[0]
        return [Site(name, self._spelled_here(only, at), chain, options, only.locks, only.maybe)]

    def _spelled_here(self, site: Site, at: cst.CSTNode) -> str:
        """The root's spelling at another place than the one where the statement is made."""
        name = site.root.split(".")[0]
        here, there = self.module.bindings(name, at=at), self.module.bindings(name, at=site.at)
        if {id(each) for each in here} != {id(each) for each in there}:
            raise FixRefused(f"{site.root} means something else where the statement is used")
        return site.root

    def _target(self, name: str, binding: BaseAssignment) -> cst.CSTNode:
        if isinstance(binding, ImportAssignment):
            raise FixRefused(f"the statement comes from elsewhere: {name} is imported")
        assert isinstance(binding, Assignment)
        if isinstance(binding.node, cst.Param):
            reason = f"the statement comes from elsewhere: {name} is a parameter"
            raise self._handed_in(reason, binding.node)
        if isinstance(binding.node, cst.FunctionDef | cst.ClassDef):
            raise NotAStatement(f"{name} is no statement")
        return binding.node

    def _handed_in(self, reason: str, parameter: cst.Param) -> FixRefused:
        function = self.module.function(parameter)
        if not isinstance(function, cst.FunctionDef):
            return FixRefused(reason)
        given = [*function.params.posonly_params, *function.params.params]
        method = self.module.around(function, cst.ClassDef) is not None and not _is_static(function)
        position = given.index(parameter) - method if parameter in given else -1  # -1: by keyword only
        return HandedIn(reason, Parameter(function.name.value, parameter.name.value, position))

    def _value(self, name: str, target: cst.CSTNode) -> cst.BaseExpression:
        value = assigned_value(self.module, target)
        if value is None:
            raise FixRefused(
                f"the statement cannot be followed: {name} is bound by a loop, with, or unpacking"
            )
        return value

    def _from_call(self, chain: Chain, call: cst.Call, *, at: cst.CSTNode) -> list[Site]:
        name = called(call)
        if name in SET_OPERATIONS or name in ("text", "insert", "update", "delete", "exists"):
            raise FixRefused(f"the statement is made by {name}(), which takes no loader option")
        function = self._definition(call, at=at)
        if function is None:
            raise NotAStatement(f"the statement comes from elsewhere: {self.module.code(call.func)}()")
        if function in self._seen or function.asynchronous or not _harmless(function):
            raise FixRefused(f"the statement comes from {name}(), which cannot be followed safely")
        self._seen.add(function)
        try:
            found = [s for value in self._returned(function) for s in self.sites(value, at=value)]
        finally:
            self._seen.discard(function)
        if not found:
            raise NotAStatement(f"{name}() returns no statement")
        options = (*(found[0].options if len(found) == 1 else ()), *chain.options)
        root = self._spelled_here(found[0], at)
        maybe = tuple(each for site in found for each in site.maybe)
        return [Site(call, root, chain, options, any(site.locks for site in found), maybe)]

    def _definition(self, call: cst.Call, *, at: cst.CSTNode) -> cst.FunctionDef | None:
        if isinstance(call.func, cst.Name):
            bindings = self.module.bindings(call.func.value, at=at)
            nodes = [each.node for each in bindings if isinstance(each, Assignment)]
        else:
            around = self.module.around(call, cst.ClassDef)
            body = around.body.body if around is not None else ()
            nodes = [n for n in body if isinstance(n, cst.FunctionDef) and n.name.value == called(call)]
        only = nodes[0] if len(nodes) == 1 else None
        return only if isinstance(only, cst.FunctionDef) else None

    def _returned(self, function: cst.FunctionDef) -> list[cst.BaseExpression]:
        values = [
            each.value
            for each in self.module.every(cst.Return)
            if self.module.function(each) is function and each.value is not None
        ]
        yields = (each for each in self.module.every(cst.Yield) if self.module.function(each) is function)
        if next(yields, None) is not None:
            raise FixRefused(f"the statement comes from {function.name.value}(), which is a generator")
        return values


def _branches(value: cst.BaseExpression) -> list[cst.BaseExpression]:
    return [value.body, value.orelse] if isinstance(value, cst.IfExp) else [value]


def _is_name(node: cst.CSTNode, name: str) -> bool:
    return isinstance(node, cst.Name) and node.value == name


def _is_static(function: cst.FunctionDef) -> bool:
    return any(_is_name(each.decorator, "staticmethod") for each in function.decorators)


def _harmless(function: cst.FunctionDef) -> bool:
    names = [d.decorator.value for d in function.decorators if isinstance(d.decorator, cst.Name)]
    return len(names) == len(function.decorators) and set(names) <= {"staticmethod", "classmethod"}
