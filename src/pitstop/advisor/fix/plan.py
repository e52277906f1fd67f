"""The plan of a fix: what changes in which file, what it promises, and what was refused."""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["FileFix", "Fix", "Plan", "Refusal"]


@dataclass(frozen=True, slots=True)
class Fix:
    """One statement that gets loader options.

    Attributes:
        file: the file.
        line: the line that executes the statement.
        options: the options, with bare class names.
        before: statements seen for one execution and its loads.
        after: statements promised; of a relationship that follows itself, for its first level.
        fails: whether the request failed before (a lazy load that async code may not do).
    """

    file: Path
    line: int
    options: tuple[str, ...]
    before: int
    after: int
    fails: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """A cure that is to be applied by hand.

    Attributes:
        file: where the statement is executed, "" when unknown.
        line: the line, 0 when unknown.
        reason: why it was refused.
        cure: what to apply by hand.
        loader: whether the cure is a loader option; a sentence is advice only.
    """

    file: str
    line: int
    reason: str
    cure: str
    loader: bool = True


@dataclass(frozen=True, slots=True)
class FileFix:
    """One file that changes.

    Attributes:
        path: the file.
        before: its text, line ends as they are.
        after: its text with the fixes.
        data: the bytes to write.
        digest: SHA-256 of the bytes that the plan was made from.
    """

    path: Path
    before: str
    after: str
    data: bytes
    digest: str

    def diff(self, *, root: Path) -> str:
        """The change as a unified diff that ``git apply`` and ``patch -p1`` take."""
        name = self.path.relative_to(root) if self.path.is_relative_to(root) else self.path
        lines = difflib.unified_diff(
            _lines(self.before), _lines(self.after), f"a/{name.as_posix()}", f"b/{name.as_posix()}"
        )
        return "".join(_ended(line) for line in lines)


@dataclass(frozen=True, slots=True)
class Plan:
    """What `pitstop fix` would do.

    Attributes:
        files: the files that change.
        fixes: the statements that get options, with what is promised.
        cured: cures that the source has already, as (file, line, option).
        refusals: what is left to do by hand.
        root: paths in diffs are relative to it.
    """

    files: tuple[FileFix, ...]
    fixes: tuple[Fix, ...]
    cured: tuple[tuple[str, int, str], ...]
    refusals: tuple[Refusal, ...]
    root: Path

    @property
    def diff(self) -> str:
        """All changes as one unified diff."""
        return "".join(each.diff(root=self.root) for each in self.files)

    @property
    def refused(self) -> tuple[Refusal, ...]:
        """The refusals of loader options, without those that are advice only."""
        return tuple(each for each in self.refusals if each.loader)

    def __iter__(self) -> Iterator[Fix]:
        return iter(self.fixes)


def _lines(text: str) -> list[str]:
    # not splitlines(): a form feed or U+2028 is no line end to diff and patch
    parts = text.split("\n")
    return [part + "\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def _ended(line: str) -> str:
    return line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
