"""What a source fix refuses, and that it says why."""

# ruff: noqa: E501 - sources as they are

import os
import textwrap
from pathlib import Path

import pytest

from pitstop.advisor.fix import Cure, plan_fixes
from tests.advisor.fix_lab import MODELS, ORM, cures_at, marked, planned, write

HEAD = """\
from sqlalchemy import func, select, text, union
from sqlalchemy.orm import Session, aliased, joinedload, lazyload, selectinload

from shop.models import Author, Comment, Post, Tag
from shop.queries import imported, build

"""
COMMENTS = "selectinload(Post.comments)"

REFUSED = {
    "parameter": ("def f(s, stmt):\n    return s.scalars(stmt).all()§\n", "stmt is a parameter"),
    "attribute": ("def f(self, s):\n    return s.scalars(self.stmt).all()§\n", "elsewhere: self.stmt"),
    "other module": ("def f(s):\n    return s.scalars(imported).all()§\n", "imported is imported"),
    "function of another module": ("def f(s):\n    return s.scalars(build()).all()§\n", "elsewhere: build()"),
    "one branch from elsewhere": (
        "def f(s, q):\n    stmt = select(Post)\n    if q:\n        stmt = build()\n    return s.scalars(stmt).all()§\n",
        "elsewhere: build()",
    ),
    "text": ("def f(s):\n    return s.execute(text('select 1'))§\n", "text()"),
    "union": ("def f(s):\n    return s.scalars(union(select(Post), select(Post)))§\n", "union()"),
    "union method": ("def f(s):\n    return s.scalars(select(Post).union(select(Post)))§\n", "union()"),
    "from_statement": (
        "def f(s):\n    return s.scalars(select(Post).from_statement(text('x')))§\n",
        "from_statement()",
    ),
    "columns": (
        "def f(s):\n    return s.execute(select(Post.id, func.count()))§\n",
        "selects no Post entity",
    ),
    "other class": ("def f(s):\n    return s.scalars(select(Tag)).all()§\n", "selects no Post entity"),
    "run-time class": (
        "def f(self, s):\n    return s.scalars(select(self.model)).all()§\n",
        "selects no Post entity",
    ),
    "two aliases": (
        "def f(s):\n    a, b = 1, 2\n    p = aliased(Post)\n    q = aliased(Post)\n    return s.execute(select(p, q)).all()§\n",
        "more than once: p, q",
    ),
    "two statements on one line": (
        "def f(s):\n    return s.scalars(select(Post)).all(), s.scalars(select(Post).limit(1)).all()§\n",
        "several statements",
    ),
    "unpacked": (
        "def f(s):\n    stmt, n = select(Post), 1\n    return s.scalars(stmt).all()§\n",
        "unpacking",
    ),
    "generator": (
        "def g():\n    yield 1\n    return select(Post)\ndef f(s):\n    return s.scalars(g())§\n",
        "generator",
    ),
    "decorated": (
        "@build\ndef g():\n    return select(Post)\ndef f(s):\n    return s.scalars(g())§\n",
        "cannot be followed safely",
    ),
    "line moved": (
        "def f(s):\n    x = 1§\n    return s.scalars(select(Post)).all()\n",
        "executes no statement",
    ),
    "the opposite is asked for": (
        "def f(s):\n    return s.scalars(select(Post).options(lazyload(Post.comments))).all()§\n",
        "asks for the opposite: lazyload(comments)",
    ),
    "another loader in a branch": (
        "def f(s, x):\n    q = select(Post)\n    if x:\n        q = q.options(joinedload(Post.comments))\n    return s.scalars(q).all()§\n",
        "a branch gives the statement joinedload(comments)",
    ),
    "options of the caller": (
        "def f(s, *more):\n    return s.scalars(select(Post).options(*more)).all()§\n",
        "may load the same: *more",
    ),
    "in an f-string": (
        "def f(s):\n    return f'{s.scalars(select(Post)).all()}'§\n",
        "stands in an f-string",
    ),
    "options from elsewhere": (
        "def f(s, o):\n    return s.get(Post, 1, options=o)§\n",
        "options come from elsewhere: o",
    ),
    "keywords from elsewhere": ("def f(s, o):\n    return s.get(Post, 1, **o)§\n", "keywords from elsewhere"),
    "refresh": ("def f(s, post):\n    s.refresh(post)§\n", "executes no statement that takes options"),
    "circle": ("def f(s):\n    a = b\n    b = a\n    return s.scalars(a)§\n", ""),
}


@pytest.mark.parametrize("shape", REFUSED)
def test_refused(tmp_path: Path, shape: str) -> None:
    """Whatever cannot be followed to one statement of the class is refused with a reason, not guessed."""
    source, reason = REFUSED[shape]
    plan = planned(tmp_path, HEAD + textwrap.dedent(source), COMMENTS)
    assert not plan.files
    (refusal,) = plan.refusals
    assert reason in refusal.reason
    assert (refusal.cure, refusal.loader) == (COMMENTS, True)


def test_other_function(tmp_path: Path) -> None:
    """A line that belongs to another function than the observed one is not touched."""
    plan = planned(
        tmp_path, HEAD + "def f(s):\n    return s.scalars(select(Post)).all()§\n", COMMENTS, function="Repo.g"
    )
    assert not plan.files
    assert "line 8 of Repo.g() executes no statement that takes options" in plan.refusals[0].reason


def test_qualified_function(tmp_path: Path) -> None:
    """A qualified function name is matched by its last part."""
    plan = planned(
        tmp_path,
        HEAD + "def f(s):\n    return s.scalars(select(Post)).all()§\n",
        COMMENTS,
        function="g.<locals>.f",
    )
    assert len(plan.files) == 1


def test_changed_since(tmp_path: Path) -> None:
    """A file changed after the observation is not touched."""
    source, lines = marked(HEAD + "def f(s):\n    return s.scalars(select(Post)).all()§\n")
    path = write(tmp_path, source)
    os.utime(path, (2000.0, 2000.0))
    assert plan_fixes(cures_at(path, lines, COMMENTS, seen=3000.0), root=tmp_path).files
    plan = plan_fixes(cures_at(path, lines, COMMENTS, seen=1000.0), root=tmp_path)
    assert not plan.files
    assert "changed after it was observed" in plan.refusals[0].reason


@pytest.mark.parametrize("place", ["../else.py", ".venv/lib/site-packages/lib/api.py"])
def test_foreign_files(tmp_path: Path, place: str) -> None:
    """Files outside the directory and installed packages are changed only when that is allowed."""
    root = tmp_path / "project"
    root.mkdir()
    source, lines = marked(HEAD + "def f(s):\n    return s.scalars(select(Post)).all()§\n")
    path = write(root, source, name=place).resolve()
    cures = cures_at(path, lines, COMMENTS)
    assert not plan_fixes(cures, root=root).files
    assert plan_fixes(cures, root=root, outside=True).files


def test_unusable_files(tmp_path: Path) -> None:
    """Missing, read-only, unparsable and undecodable files are refused, each with its reason."""
    text = HEAD + "def f(s):\n    return s.scalars(select(Post)).all()\n"
    locked = write(tmp_path, text, name="locked.py")
    locked.chmod(0o444)
    broken = write(tmp_path, "def f(:\n", name="broken.py")
    odd = tmp_path / "odd.py"
    odd.write_bytes(b"x = '\xff'\n")
    files = [tmp_path / "gone.py", locked, broken, odd]
    plan = plan_fixes([Cure(str(each), 8, "f", COMMENTS, (ORM, MODELS)) for each in files], root=tmp_path)
    reasons = {Path(each.file).name: each.reason for each in plan.refusals}
    assert not plan.files
    assert "no such file" in reasons["gone.py"]
    assert "read-only" in reasons["locked.py"]
    assert "cannot be parsed" in reasons["broken.py"]
    assert "cannot be decoded" in reasons["odd.py"]


@pytest.mark.parametrize(
    "sentence",
    [
        "set expire_on_commit=False",
        "__import__('os').system('x')",
        "select(Post)",
        "selectinload(Post.comments if 1 else 2)",
        "",
    ],
)
def test_only_loader_options_are_written(tmp_path: Path, sentence: str) -> None:
    """A sentence, or any expression that is not a chain of loaders, is advice and never lands in a file."""
    plan = planned(tmp_path, HEAD + "def f(s):\n    return s.scalars(select(Post)).all()§\n", sentence)
    assert not plan.files
    assert not plan.refused
    assert not plan.refusals[0].loader


def test_one_refusal_does_not_stop_the_others(tmp_path: Path) -> None:
    """A refused cure leaves the other cures of its file alone."""
    source = HEAD + "def f(s, stmt):\n    s.scalars(stmt)§\n    s.scalars(select(Post))§\n"
    plan = planned(tmp_path, source, COMMENTS, COMMENTS)
    assert len(plan.files) == len(plan.fixes) == len(plan.refusals) == 1
