"""What the tests of source fixes share: sources with the executing line marked, and cures for them."""

import textwrap
from pathlib import Path

from pitstop.advisor.fix import Cure, Plan, plan_fixes, write_fixes

MARK = "§"
ORM = "from sqlalchemy.orm import joinedload, selectinload, undefer"
MODELS = "from shop.models import Author, Comment, Node, Post, Tag"


def marked(text: str, *, dedent: bool = True) -> tuple[str, list[int]]:
    """The source without its marks, and the lines that carried one."""
    text = textwrap.dedent(text).lstrip("\n") if dedent else text
    lines = [number for number, line in enumerate(text.split("\n"), 1) if MARK in line]
    return text.replace(MARK, ""), lines


def cures_at(
    path: Path,
    lines: list[int],
    *expressions: str,
    imports: tuple[str, ...] = (ORM, MODELS),
    function: str | None = None,
    count: int = 100,
    seen: float | None = None,
) -> list[Cure]:
    """Every expression for every line; several expressions and lines of one length are paired."""
    pairs = zip(lines, expressions, strict=True) if len(lines) == len(expressions) else None
    places = list(pairs or ((line, each) for line in lines for each in expressions))
    return [Cure(str(path), line, function, each, imports, count, seen=seen) for line, each in places]


def write(root: Path, text: str, *, name: str = "shop/api.py") -> Path:
    """Write a file byte for byte."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def fixed(root: Path, text: str, *expressions: str, name: str = "shop/api.py", **settings: object) -> str:
    """The marked source after its cures were written; every cure must have been accepted."""
    source, lines = marked(text)
    path = write(root, source, name=name)
    plan = plan_fixes(cures_at(path, lines, *expressions, **settings), root=root)  # type: ignore[arg-type]
    assert not plan.refusals, plan.refusals
    write_fixes(plan.files)
    after = path.read_bytes().decode()
    again = plan_fixes(cures_at(path, lines, *expressions, **settings), root=root)  # type: ignore[arg-type]
    assert not again.files, again.diff
    return after


def planned(root: Path, text: str, *expressions: str, name: str = "shop/api.py", **settings: object) -> Plan:
    """The plan for a marked source; nothing is written."""
    source, lines = marked(text)
    path = write(root, source, name=name)
    return plan_fixes(cures_at(path, lines, *expressions, **settings), root=root)  # type: ignore[arg-type]
