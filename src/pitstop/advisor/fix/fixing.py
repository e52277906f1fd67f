"""Fixing one module: the cures of each statement brought together and turned into edits."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import libcst as cst

from pitstop.advisor.fix.cure import Cure
from pitstop.advisor.fix.insertion import insert_options
from pitstop.advisor.fix.locating import existing, home_of
from pitstop.advisor.fix.module import Module
from pitstop.advisor.fix.names import LOADERS, Home, Names
from pitstop.advisor.fix.option import (
    COLUMNS,
    EAGER,
    Option,
    conflicting,
    covered,
    extra_statements,
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
    _sites: dict[cst.BaseExpression, tuple[Site, list[Wish]]] = field(default_factory=dict)
    _edits: list[Edit] = field(default_factory=list)

    @property
    def wishes(self) -> list[Wish]:
        """All cures that belong to a statement."""
        return list(dict.fromkeys(wish for _, wishes in self._sites.values() for wish in wishes))

    def add(self, wish: Wish, sites: list[Site]) -> None:
        """A cure belongs to these places; none: it is there already."""
        if not sites:
            self.cured.append(wish)
        for site in sites:
            self._sites.setdefault(site.at, (site, []))[1].append(wish)

    def work(self) -> None:
        """Work out the edits of every place."""
        for site, wishes in self._sites.values():
            left = list(self._missing(site, wishes))
            if not left:
                continue
            imports = dict(self.names.new.wanted)
            try:
                self._write(site, left)
            except FixRefused as refusal:
                self.names.new.wanted = imports
                self.refused += [(wish, str(refusal)) for wish in left]

    def edits(self) -> list[Edit]:
        """The edits of the module, imports included."""
        return self._edits + (self.names.edits() if self._edits else [])

    def _missing(self, site: Site, wishes: list[Wish]) -> Iterator[Wish]:
        present = [option for option, _ in existing(self.names, site)]
        for wish in wishes:
            against = next((each for each in present if conflicting(wish.option, with_=each)), None)
            if against is not None:
                asked = f"{against.steps[-1].loader}({', '.join(against.path[-1])})"
                self.refused.append((wish, f"the statement asks for the opposite: {asked}"))
            elif any(covered(wish.option, by=each) for each in present):
                self.cured.append(wish)
            else:
                yield wish

    def _write(self, site: Site, wishes: list[Wish]) -> None:
        owners = {(without_joins(w.option) if site.locks else w.option): w for w in wishes}
        texts: list[str] = []
        edits: list[Edit] = []
        taken: set[cst.CSTNode] = set()
        kept = outermost(owners)
        for option in kept:
            cure = owners[option].cure
            edit = self._in_place(option, site, cure, taken)
            if edit is None:
                texts.append(self._render(option, site, cure))
            else:
                edits.append(edit)
        if texts:
            edits += insert_options(self.module, site, texts)
        self._edits += edits
        self._promise(site, wishes, kept)

    def _in_place(self, option: Option, site: Site, cure: Cure, taken: set[cst.CSTNode]) -> Edit | None:
        """Extend or replace the option of the same path that the statement has, if it has one."""
        best: tuple[int, cst.CSTNode, Option] | None = None
        for other, node in existing(self.names, site):
            if node is None or node in taken or other.steps[-1].loader in COLUMNS:
                continue
            depth = len(other.steps)
            if option.path[:depth] == other.path and (best is None or depth > best[0]):
                best = (depth, node, other)
        if best is None:
            return None
        depth, node, other = best
        taken.add(node)
        if depth == len(option.steps) or other.steps[-1].loader not in EAGER:
            return Edit(self.module.start(node), self.module.end(node), self._render(option, site, cure))
        tail = option.tail(lambda name: self._spelled(name, cure, site), after=depth)
        return Edit(self.module.end(node), self.module.end(node), tail)

    def _render(self, option: Option, site: Site, cure: Cure) -> str:
        return option.render(
            lambda name: self._spelled(name, cure, site),
            loader=lambda name: self.names.spell(Home(name, LOADERS), at=site.at),
            root_as=site.root,
        )

    def _spelled(self, name: str, cure: Cure, site: Site) -> str:
        return self.names.spell(home_of(name, cure), at=site.at)

    def _promise(self, site: Site, wishes: list[Wish], written: list[Option]) -> None:
        present = [option for option, _ in existing(self.names, site)]
        seen: dict[str, int] = {}
        for wish in wishes:
            seen[wish.cure.expression] = max(wish.cure.count, seen.get(wish.cure.expression, 0))
        before = 1 + extra_statements(present) + sum(seen.values())
        after = 1 + extra_statements([*present, *written])
        texts = tuple(each.render(str, loader=str, root_as=each.root) for each in written)
        fix = Fix(self.module.source.path, min(wish.cure.line for wish in wishes), texts, before, after)
        if fix not in self.fixes:
            self.fixes.append(fix)
