"""From the line that was observed to the places that take its options."""

from collections.abc import Iterable

import libcst as cst
from libcst.metadata import Assignment

from pitstop.advisor.fix.chain import called
from pitstop.advisor.fix.cure import Cure
from pitstop.advisor.fix.execution import Execution, Rank, executions, function_name
from pitstop.advisor.fix.insertion import elements
from pitstop.advisor.fix.module import Module
from pitstop.advisor.fix.names import LOADERS, Home, Names, assigned_value, homes
from pitstop.advisor.fix.option import WRITABLE, Option, covered, parse_options
from pitstop.advisor.fix.statement import NotAStatement, Site, Statements
from pitstop.errors import FixRefused

__all__ = ["Locating", "existing", "home_of", "in_branches", "unknown"]


def home_of(name: str, cure: Cure) -> Home:
    """Where a bare name of a cure lives."""
    return homes(cure.imports).get(name, Home(name, LOADERS if name in WRITABLE else ""))


def existing(names: Names, site: Site) -> list[tuple[Option, cst.CSTNode | None]]:
    """The options a site has: each chain, with its node where the chain is one whole argument."""
    found: list[tuple[Option, cst.CSTNode | None]] = []
    for element in elements(site):
        if isinstance(element, cst.Arg) and element.star:
            continue
        chains = parse_options(names.module.code(element.value), renamed=names.loaders)
        found += [(chain, element.value if len(chains) == 1 else None) for chain in chains]
    return [(option, node) for option, node in found if _last(option.root) in ("", _last(site.root))]


def in_branches(names: Names, site: Site) -> list[Option]:
    """The options that only some branch gives to the statement of a site."""
    calls = (argument for call in site.maybe for argument in call.args if not argument.star)
    codes = (names.module.code(each.value) for each in calls)
    return [option for code in codes for option in parse_options(code, renamed=names.loaders)]


def unknown(names: Names, site: Site) -> str | None:
    """The first option of a site, as source, of which the file does not say what it loads."""
    for element in elements(site):
        value = element.value
        starred = isinstance(element, cst.Arg) and bool(element.star)
        if isinstance(value, cst.Name):
            bindings = names.module.bindings(value.value, at=value)
            nodes = [each.node for each in bindings if isinstance(each, Assignment)]
            literal = assigned_value(names.module, nodes[0]) if len(nodes) == len(bindings) == 1 else None
            if isinstance(literal, cst.List | cst.Tuple | cst.Call):
                continue
        elif not starred and isinstance(value, cst.Call):
            continue
        return f"{'*' if starred else ''}{names.module.code(value)}"
    return None


def _last(dotted: str) -> str:
    return dotted.rpartition(".")[2]


class Locating:
    """Finds the statements of one module."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.names = Names(module)
        self.executions = list(executions(module))

    def sites(self, cure: Cure, option: Option) -> list[Site]:
        """The places that take the options of a cure; [] where another statement of the function
        has them already and the file may have moved since it was observed.

        Raises:
            FixRefused: there is none, or more than one statement it could be.
        """
        moved = self._moved(cure)
        try:
            found = self._at_line(cure, option)
        except FixRefused:
            if moved is not False and self._cured_nearby(cure, option):
                return []
            raise
        if moved is False or self._has(found, option):
            return found
        if self._cured_nearby(cure, option):
            return []
        if moved:
            raise FixRefused("the file was changed after it was observed; observe it again")
        return found

    def _moved(self, cure: Cure) -> bool | None:
        """Whether lines may have moved since; None where that is unknown."""
        path = self.module.source.path
        if cure.seen is None or str(path) != cure.file:
            return None
        return path.stat().st_mtime > cure.seen

    def _at_line(self, cure: Cure, option: Option) -> list[Site]:
        here = [
            each
            for line, each in self.executions
            if line == cure.line and self._within(each, cure) and _hands_in(each, cure)
        ]
        reasons: list[FixRefused] = []
        for rank in Rank:
            candidates = [each for each in here if each.rank is rank]
            found = self._resolved(candidates, cure, option, reasons)
            if len(found) > 1:
                raise FixRefused(f"line {cure.line} executes several statements of {option.root}")
            if found:
                return found[0]
            if candidates and rank is Rank.EXECUTOR:
                break
        raise _reason(cure, reasons)

    def _resolved(
        self, candidates: Iterable[Execution], cure: Cure, option: Option, reasons: list[FixRefused]
    ) -> list[list[Site]]:
        found: dict[frozenset[cst.CSTNode], list[Site]] = {}
        for each in candidates:
            try:
                sites = self._sites_of(each, cure, option)
            except FixRefused as refusal:
                if cure.parameter is not None or _telling(each, refusal):
                    reasons.append(refusal)
            else:
                found.setdefault(frozenset(site.at for site in sites), sites)
        return list(found.values())

    def _within(self, execution: Execution, cure: Cure) -> bool:
        name = (cure.function or "<lambda>").rpartition(".")[2]
        if name.startswith("<") and name != "<module>":
            return True
        return function_name(self.module, execution.node) in (None, name)

    def _sites_of(self, execution: Execution, cure: Cure, option: Option) -> list[Site]:
        wanted = home_of(option.root, cure)
        if not execution.get:
            statements = Statements(self.module, self.names, wanted)
            return statements.sites(execution.statement, at=execution.node)
        identity = self.names.identify(execution.statement, at=execution.node)
        if identity is None or not self.names.same(identity, wanted):
            raise NotAStatement(f"{self.module.code(execution.statement)} is not {wanted.name}")
        assert isinstance(execution.node, cst.Call)
        locks = any(each.keyword and each.keyword.value == "with_for_update" for each in execution.node.args)
        return [Site(execution.node, self.module.code(execution.statement), None, locks=locks)]

    def _has(self, sites: list[Site], option: Option) -> bool:
        return all(
            any(covered(option, by=other) for other, _ in existing(self.names, site)) for site in sites
        )

    def _cured_nearby(self, cure: Cure, option: Option) -> bool:
        for _, each in self.executions:
            if not self._within(each, cure):
                continue
            try:
                if self._has(self._sites_of(each, cure, option), option):
                    return True
            except FixRefused:
                continue
        return False


def _reason(cure: Cure, reasons: list[FixRefused]) -> FixRefused:
    if reasons:
        return reasons[0]
    if cure.parameter is not None:
        return FixRefused(f"line {cure.line} hands no {cure.parameter.name} to {cure.parameter.function}()")
    where = f" of {cure.function}()" if cure.function and "<" not in cure.function else ""
    changed = "was the file changed after it was observed?"
    return FixRefused(f"line {cure.line}{where} executes no statement that takes options; {changed}")


def _hands_in(execution: Execution, cure: Cure) -> bool:
    """Whether it is what the cure is about: with a parameter, the argument that becomes it."""
    wanted = cure.parameter
    if wanted is None:
        return True
    call = execution.node
    if execution.rank is not Rank.ARGUMENT or not isinstance(call, cst.Call):
        return False
    index = next(n for n, each in enumerate(call.args) if each.value is execution.statement)
    keyword = call.args[index].keyword
    if called(call) != wanted.function:
        return False
    if keyword is not None:
        return keyword.value == wanted.name
    return index == wanted.position and not any(each.star for each in call.args[:index])


def _telling(execution: Execution, refusal: FixRefused) -> bool:
    """Whether a reason is about the statement, not about something else on the line."""
    if execution.rank is Rank.QUERY:
        return isinstance(execution.node, cst.Call) and not isinstance(refusal, NotAStatement)
    return execution.rank is Rank.EXECUTOR
