"""Fixing one module: the cures of each statement brought together and turned into edits."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import libcst as cst

from pitstop.advisor.fix.cure import Cure
from pitstop.advisor.fix.insertion import insert_options
from pitstop.advisor.fix.locating import existing, home_of, in_branches, unknown
from pitstop.advisor.fix.module import Module
from pitstop.advisor.fix.names import LOADERS, Home, Names
from pitstop.advisor.fix.option import (
    COLUMNS,
    EAGER,
    Option,
    Step,
    conflicting,
    covered,
    extra_statements,
    loaded_otherwise,
    loads_on_the_way,
    outermost,
    without_joins,
)
from pitstop.advisor.fix.plan import Fix
from pitstop.advisor.fix.source import Edit
from pitstop.advisor.fix.statement import Site
from pitstop.errors import FixRefused

__all__ = ["Fixing", "Wish"]


@dataclass(frozen=True, slots=True, eq=False)
class Wish:
    """A cure with its option, parsed."""

    cure: Cure
    option: Option


@dataclass(frozen=True, slots=True, eq=False)
class _Claim:
    """A cure at one place; cures at the same place may start from different classes of it."""

    wish: Wish
    site: Site


@dataclass(slots=True)
class Fixing:
    """The changes of one module.

    Attributes:
        fixes: the statements that get options.
        cured: cures that the source has already.
        refused: cures that cannot be written, and why.
    """

    module: Module
    names: Names
    fixes: list[Fix] = field(default_factory=list)
    cured: list[Wish] = field(default_factory=list)
    refused: list[tuple[Wish, str]] = field(default_factory=list)
    _sites: dict[cst.BaseExpression, list[_Claim]] = field(default_factory=dict)
    _edits: list[Edit] = field(default_factory=list)

    @property
    def wishes(self) -> list[Wish]:
        """All cures that belong to a statement."""
        return list(dict.fromkeys(claim.wish for claims in self._sites.values() for claim in claims))

    def add(self, wish: Wish, sites: list[Site]) -> None:
        """A cure belongs to these places; none: it is there already."""
        if not sites:
            self.cured.append(wish)
        for site in sites:
            self._sites.setdefault(site.at, []).append(_Claim(wish, site))

    def work(self) -> None:
        """Work out the edits of every place."""
        for claims in self._sites.values():
            left = list(self._missing(claims))
            if not left:
                continue
            imports = dict(self.names.new.wanted)
            try:
                self._write(left)
            except FixRefused as refusal:
                self.names.new.wanted = imports
                self.refused += [(claim.wish, str(refusal)) for claim in left]

    def edits(self) -> list[Edit]:
        """The edits of the module, imports included."""
        return self._edits + (self.names.edits() if self._edits else [])

    def _missing(self, claims: list[_Claim]) -> Iterator[_Claim]:
        for claim in claims:
            wish = claim.wish
            present = [option for option, _ in existing(self.names, claim.site)]
            against = next((each for each in present if conflicting(wish.option, with_=each)), None)
            if against is not None:
                asked = f"{against.steps[-1].loader}({', '.join(against.path[-1])})"
                self.refused.append((wish, f"the statement asks for the opposite: {asked}"))
            elif any(covered(wish.option, by=each) for each in present):
                self.cured.append(wish)
            elif (step := self._in_a_branch(claim)) is not None:
                asked = f"{step.loader}({', '.join(step.names)})"
                self.refused.append((wish, f"a branch gives the statement {asked}: move that out of it"))
            else:
                yield claim

    def _in_a_branch(self, claim: _Claim) -> Step | None:
        """An option of some branch that would contradict the cure."""
        branches = in_branches(self.names, claim.site)
        found = (loaded_otherwise(claim.wish.option, by=each) for each in branches)
        return next(filter(None, found), None)

    def _write(self, claims: list[_Claim]) -> None:
        """Give one place all its options."""
        if self.module.around(claims[0].site.at, cst.FormattedString) is not None:
            raise FixRefused("the statement stands in an f-string: take it out of there")
        foreign = unknown(self.names, claims[0].site)
        if foreign is not None:
            raise FixRefused(f"some of its options come from elsewhere, and may load the same: {foreign}")
        owners = {(without_joins(c.wish.option) if c.site.locks else c.wish.option): c for c in claims}
        texts: list[str] = []
        edits: list[Edit] = []
        taken: set[cst.CSTNode] = set()
        kept = outermost(owners)
        for option in kept:
            edit = self._in_place(option, owners[option], taken)
            if edit is None:
                texts.append(self._render(option, owners[option]))
            else:
                edits.append(edit)
        if texts:
            edits += insert_options(self.module, claims[0].site, texts)
        self._edits += edits
        self._promise(claims, kept)

    def _in_place(self, option: Option, claim: _Claim, taken: set[cst.CSTNode]) -> Edit | None:
        """Extend or replace the option of the same path that the statement has, if it has one."""
        best: tuple[int, cst.CSTNode, Option] | None = None
        for other, node in existing(self.names, claim.site):
            if node is None or node in taken or other.steps[-1].loader in COLUMNS:
                continue
            depth = len(other.steps)
            if option.path[:depth] == other.path and (best is None or depth > best[0]):
                best = (depth, node, other)
        if best is None:
            return None
        depth, node, other = best
        taken.add(node)
        start, end = self.module.start(node), self.module.end(node)
        if depth == len(option.steps) or other.steps[-1].loader not in EAGER:
            return Edit(start, end, self._render(option, claim))
        return Edit(end, end, option.tail(lambda name: self._spelled(name, claim), after=depth))

    def _render(self, option: Option, claim: _Claim) -> str:
        return option.render(
            lambda name: self._spelled(name, claim),
            loader=lambda name: self.names.spell(Home(name, LOADERS), at=claim.site.at),
            root_as=claim.site.root,
        )

    def _spelled(self, name: str, claim: _Claim) -> str:
        return self.names.spell(home_of(name, claim.wish.cure), at=claim.site.at)

    def _promise(self, claims: list[_Claim], written: list[Option]) -> None:
        present = [option for option, _ in existing(self.names, claims[0].site)]
        seen: dict[str, int] = {}
        for claim in claims:
            cure = claim.wish.cure
            seen[cure.expression] = max(cure.count, seen.get(cure.expression, 0))
        counted = [*_beginnings(present), *(claim.wish.option for claim in claims)]
        before = 1 + extra_statements(present) + sum(seen.values())
        before += loads_on_the_way(written, counted=counted)
        after = 1 + extra_statements([*present, *written])
        texts = tuple(each.render(str, loader=str, root_as=each.root) for each in written)
        line = min(claim.wish.cure.line for claim in claims)
        fails = any(claim.wish.cure.fails for claim in claims)
        fix = Fix(self.module.source.path, line, texts, before, after, fails)
        if fix not in self.fixes:
            self.fixes.append(fix)


def _beginnings(options: list[Option]) -> Iterator[Option]:
    """Every option, and all that it loads on its way."""
    for option in options:
        yield from (Option(option.steps[:depth]) for depth in range(1, len(option.steps) + 1))
