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
from pitstop.advisor.fix.source import apply_edits, read_source
from pitstop.advisor.fix.statement import HandedIn
from pitstop.errors import FixRefused

__all__ = ["Planner"]

FOREIGN = frozenset({"site-packages", "dist-packages"})


class _Opened:
    """One source file that is being fixed."""

    def __init__(self, path: Path) -> None:
        self.source = read_source(path)
        self.module = Module(self.source)
        self.locating = Locating(self.module)
        self.fixing = Fixing(self.module, self.locating.names)


class Planner:
    """Makes one plan out of many cures."""

    def __init__(self, *, root: Path, outside: bool) -> None:
        self.root = root
        self.outside = outside
        self.files: list[FileFix] = []
        self.fixes: list[Fix] = []
        self.cured: list[tuple[str, int, str]] = []
        self.refusals: list[Refusal] = []
        self._opened: dict[Path, _Opened | FixRefused] = {}

    def plan(self, cures: Iterable[Cure]) -> Plan:
        """Plan all of them; cures of one file are worked out together."""
        for cure in dict.fromkeys(cures):
            option = parse_cure(cure.expression)
            if option is None:
                self._refuse(cure, "the cure is no loader option", loader=False)
                continue
            try:
                self._place(Wish(cure, option))
            except FixRefused as refusal:
                self._refuse(cure, str(refusal))
        for _, opened in sorted(self._opened.items()):
            if isinstance(opened, _Opened):
                self._collect(opened)
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

    def _place(self, wish: Wish) -> None:
        """Find the statement where it was executed, or where a caller made it.

        Raises:
            FixRefused: it is in neither place.
        """
        opened = self._open(self._file(wish.cure))
        try:
            opened.fixing.add(wish, opened.locating.sites(wish.cure, wish.option))
        except HandedIn as refusal:
            callers = wish.cure.at_callers(refusal.parameter)
            if not callers:
                raise
            for each in callers:
                self._place_at_caller(Wish(each, wish.option), str(refusal))

    def _place_at_caller(self, wish: Wish, reason: str) -> None:
        try:
            self._place(wish)
        except FixRefused as refusal:
            self._refuse(wish.cure, f"{reason}, and where it is handed in: {refusal}")

    def _open(self, path: Path) -> _Opened:
        if path not in self._opened:
            try:
                self._opened[path] = _Opened(path)
            except FixRefused as refusal:
                self._opened[path] = refusal
        opened = self._opened[path]
        if isinstance(opened, FixRefused):
            raise opened
        return opened

    def _collect(self, opened: _Opened) -> None:
        source, fixing = opened.source, opened.fixing
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
