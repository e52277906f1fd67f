"""Planning: which file a cure belongs to, and which of its statements."""

import ast
import os
from collections.abc import Iterable
from pathlib import Path

from pitstop.advisor.fix.cure import Cure
from pitstop.advisor.fix.fixing import Fixing, Wish
from pitstop.advisor.fix.locating import Locating
from pitstop.advisor.fix.module import Module
from pitstop.advisor.fix.option import parse_cure
from pitstop.advisor.fix.plan import FileFix, Fix, Plan, Refusal
from pitstop.advisor.fix.source import Source, apply_edits, read_source
from pitstop.errors import FixRefused

__all__ = ["Planner"]

FOREIGN = frozenset({"site-packages", "dist-packages"})


class Planner:
    """Makes one plan out of many cures."""

    def __init__(self, *, root: Path, outside: bool) -> None:
        self.root = root
        self.outside = outside
        self.files: list[FileFix] = []
        self.fixes: list[Fix] = []
        self.cured: list[tuple[str, int, str]] = []
        self.refusals: list[Refusal] = []

    def plan(self, cures: Iterable[Cure]) -> Plan:
        """Plan all of them; cures of one file are worked out together."""
        by_file: dict[Path, list[Wish]] = {}
        for cure in dict.fromkeys(cures):
            option = parse_cure(cure.expression)
            if option is None:
                self._refuse(cure, "the cure is no loader option", loader=False)
                continue
            try:
                by_file.setdefault(self._file(cure), []).append(Wish(cure, option))
            except FixRefused as refusal:
                self._refuse(cure, str(refusal))
        for path, wishes in sorted(by_file.items()):
            self._plan_file(path, wishes)
        return Plan(
            tuple(self.files),
            tuple(self.fixes),
            tuple(dict.fromkeys(self.cured)),
            tuple(self.refusals),
            self.root,
        )

    def _refuse(self, cure: Cure, reason: str, *, loader: bool = True) -> None:
        refusal = Refusal(cure.file, cure.line, reason, cure.expression, loader)
        if refusal not in self.refusals:
            self.refusals.append(refusal)

    def _plan_file(self, path: Path, wishes: list[Wish]) -> None:
        try:
            source = read_source(path)
            module = Module(source)
        except FixRefused as refusal:
            for wish in wishes:
                self._refuse(wish.cure, str(refusal))
            return
        locating = Locating(module)
        fixing = Fixing(module, locating.names)
        for wish in wishes:
            try:
                fixing.add(wish, locating.sites(wish.cure, wish.option))
            except FixRefused as refusal:
                self._refuse(wish.cure, str(refusal))
        self._collect(source, fixing)

    def _collect(self, source: Source, fixing: Fixing) -> None:
        fixing.work()
        self.cured += [(wish.cure.file, wish.cure.line, wish.cure.expression) for wish in fixing.cured]
        for wish, reason in fixing.refused:
            self._refuse(wish.cure, reason)
        after = apply_edits(source.text, fixing.edits())
        if after == source.text:
            return
        try:
            ast.parse(after, filename=str(source.path))
            data = source.encode(after)
        except (SyntaxError, UnicodeEncodeError) as error:
            for wish in fixing.wishes:
                self._refuse(wish.cure, f"the changed file would not be valid: {error}")
            return
        self.files.append(FileFix(source.path, source.text, after, data, source.digest))
        self.fixes += fixing.fixes

    def _file(self, cure: Cure) -> Path:
        """The file on this machine.

        Raises:
            FixRefused: there is none, or it is not ours to change.
        """
        if not cure.file or cure.line < 1:
            raise FixRefused("where the statement was executed is unknown")
        path = self._here(Path(cure.file))
        if not self.outside and not path.is_relative_to(self.root):
            raise FixRefused(f"the file is outside {self.root}")
        if not self.outside and FOREIGN & set(path.parts):
            raise FixRefused("the file belongs to an installed package")
        status = path.stat()
        if not status.st_mode & 0o222 or not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK):
            raise FixRefused("the file is read-only")
        return path

    def _here(self, path: Path) -> Path:
        """The file itself, or the one below the root that its path ends with.

        Findings may come from another machine: ``/app/shop/api.py`` is ``./shop/api.py`` here.
        """
        if (self.root / path).is_file():
            return (self.root / path).resolve()
        for skipped in range(1, len(path.parts)):
            candidate = self.root.joinpath(*path.parts[skipped:])
            if candidate.is_file():
                return candidate.resolve()
        raise FixRefused(f"there is no such file here: {path}")
