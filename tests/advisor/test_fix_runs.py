"""Fixed code really runs: statements counted on SQLite before and after the rewrite."""

# ruff: noqa: E501 - sources as they are

import importlib
import runpy
import sys
import textwrap
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import StaticPool, create_engine, event
from sqlalchemy.engine import Engine
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from pitstop.advisor.fix import plan_fixes, write_fixes
from tests.advisor.fix_lab import cures_at, marked

MODELS = """
from sqlalchemy import ForeignKey, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, deferred, mapped_column, relationship


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "author"
    id: Mapped[int] = mapped_column(primary_key=True)


class Comment(Base):
    __tablename__ = "comment"
    id: Mapped[int] = mapped_column(primary_key=True)
    post_id: Mapped[int] = mapped_column(ForeignKey("post.id"))
    author_id: Mapped[int] = mapped_column(ForeignKey("author.id"))
    author: Mapped[Author] = relationship()


class Post(Base):
    __tablename__ = "post"
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("author.id"))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("post.id"))
    body: Mapped[str] = deferred(mapped_column(Text))
    author: Mapped[Author] = relationship()
    comments: Mapped[list[Comment]] = relationship()
    children: Mapped[list["Post"]] = relationship()


def fill(session):
    session.add_all(Author(id=n) for n in range(1, 41))
    session.add_all(Post(id=n, author_id=n, parent_id=n - 1 or None, body="b") for n in range(1, 9))
    session.add_all(Comment(post_id=n % 8 + 1, author_id=n + 9) for n in range(24))
    session.commit()


def comments(posts):
    return [comment.id for post in posts for comment in post.comments]


def comment_authors(posts):
    return [comment.author.id for post in posts for comment in post.comments]


def authors(posts):
    return [post.author.id for post in posts]


def bodies(posts):
    return [post.body for post in posts]
"""
IMPORTS = (
    "from sqlalchemy.orm import joinedload, selectinload, undefer",
    "from fix_lab_models import Author, Comment, Post",
)
COMMENTS = "selectinload(Post.comments)"
AUTHORS = "selectinload(Post.comments).joinedload(Comment.author)"

SYNC = {
    "scalars": (COMMENTS, 2, "def run(s):\n    return m.comments(s.scalars(select(m.Post)).all())§\n"),
    "nested": (
        AUTHORS,
        2,
        "def run(s):\n    return m.comment_authors(s.scalars(select(m.Post).order_by(m.Post.id)).all())§\n",
    ),
    "nested twice": (
        "selectinload(Post.comments).selectinload(Comment.author)",
        3,
        "def run(s):\n    return m.comment_authors(s.execute(select(m.Post)).scalars())§\n",
    ),
    "to-one": (
        "joinedload(Post.author)",
        1,
        "def run(s):\n    return m.authors(s.scalars(select(m.Post)))§\n",
    ),
    "for update": (
        "joinedload(Post.author)",
        2,
        "def run(s):\n    return m.authors(s.scalars(select(m.Post).with_for_update()))§\n",
    ),
    "column": (
        "undefer(Post.body)",
        1,
        "def run(s):\n    return m.bodies(s.scalars(select(m.Post)).all())§\n",
    ),
    "legacy query": (
        AUTHORS,
        2,
        "def run(s):\n    return m.comment_authors(s.query(m.Post).filter(m.Post.id > 2).all())§\n",
    ),
    "legacy query iterated": (
        COMMENTS,
        2,
        "def run(s):\n    q = s.query(m.Post)\n    return [c.id for p in q.limit(5)§ for c in p.comments]\n",
    ),
    "get": (AUTHORS, 2, "def run(s):\n    return m.comment_authors([s.get(m.Post, 3)])§\n"),
    "name": (
        AUTHORS,
        2,
        "def run(s):\n    stmt = select(m.Post)\n    stmt = stmt.where(m.Post.id > 2)\n    return m.comment_authors(s.scalars(stmt).all())§\n",
    ),
    "function": (
        COMMENTS,
        2,
        "def base():\n    return select(m.Post)\n\n\ndef run(s):\n    return m.comments(s.scalars(base().limit(5)).all())§\n",
    ),
    "constant": (
        COMMENTS,
        2,
        "ALL = select(m.Post)\n\n\ndef run(s):\n    return m.comments(s.scalars(ALL).all())§\n",
    ),
    "alias": (
        AUTHORS,
        2,
        "def run(s):\n    p = aliased(m.Post)\n    return m.comment_authors(s.scalars(select(p).where(p.id > 1)).all())§\n",
    ),
    "recursion": (
        "selectinload(Post.children, recursion_depth=-1)",
        9,
        """
        def run(s):
            def walk(post):
                return [post.id, *(n for child in post.children for n in walk(child))]

            return walk(s.scalars(select(m.Post).where(m.Post.parent_id.is_(None))).one())§
        """,
    ),
    "imports inside": (
        AUTHORS,
        2,
        "def run(s):\n    from fix_lab_models import Post, comment_authors\n    return comment_authors(s.scalars(select(Post)).all())§\n",
    ),
}
ASYNC = {
    "scalars": (
        AUTHORS,
        2,
        "async def run(s):\n    posts = (await s.scalars(select(m.Post))).all()§\n    return await s.run_sync(lambda _: m.comment_authors(posts))\n",
    ),
    "over several lines": (
        COMMENTS,
        2,
        """
        async def run(s):
            rows = await s.execute(§
                select(m.Post)
                .order_by(m.Post.id)
            )
            posts = rows.scalars().all()
            return await s.run_sync(lambda _: m.comments(posts))
        """,
    ),
    "run_sync": (
        COMMENTS,
        2,
        "async def run(s):\n    return await s.run_sync(lambda t: m.comments(t.scalars(select(m.Post)).all()))§\n",
    ),
}
HEAD = "import fix_lab_models as m\nfrom sqlalchemy import select\nfrom sqlalchemy.orm import aliased\n\n\n"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    directory = tmp_path_factory.mktemp("models")
    (directory / "fix_lab_models.py").write_text(MODELS)
    sys.path.insert(0, str(directory))
    try:
        yield importlib.import_module("fix_lab_models")
    finally:
        sys.path.remove(str(directory))
        sys.modules.pop("fix_lab_models", None)


def counted(engine: Engine) -> list[str]:
    """The texts of the statements that will be executed."""
    texts: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda c, cursor, statement, *rest: texts.append(statement))
    return texts


def fix_file(path: Path, root: Path, expression: str, lines: list[int], count: int) -> None:
    plan = plan_fixes(cures_at(path, lines, expression, imports=IMPORTS, count=count), root=root)
    assert not plan.refusals
    write_fixes(plan.files)


@pytest.mark.parametrize("family", SYNC)
def test_count_after_the_fix(tmp_path: Path, models: ModuleType, family: str) -> None:
    """After the fix the same result takes one statement and one for each level that is loaded."""
    cure, promised, body = SYNC[family]
    source, lines = marked(HEAD + textwrap.dedent(body))
    path = tmp_path / "api.py"
    path.write_text(source)
    engine = create_engine("sqlite://", poolclass=StaticPool)
    models.Base.metadata.create_all(engine)
    with Session(engine) as session:
        models.fill(session)
    texts = counted(engine)

    def run() -> tuple[Any, int]:
        texts.clear()
        with Session(engine) as session:
            return runpy.run_path(str(path))["run"](session), len(texts)

    result, before = run()
    fix_file(path, tmp_path, cure, lines, before - 1)
    assert run() == (result, promised)
    assert before > promised or family == "recursion"
    engine.dispose()


@pytest.mark.parametrize("family", ASYNC)
async def test_count_after_the_fix_async(tmp_path: Path, models: ModuleType, family: str) -> None:
    """The same for asynchronous sessions."""
    cure, promised, body = ASYNC[family]
    source, lines = marked(HEAD + textwrap.dedent(body))
    path = tmp_path / "api.py"
    path.write_text(source)
    engine = create_async_engine("sqlite+aiosqlite://", poolclass=StaticPool)
    async with engine.begin() as connection:
        await connection.run_sync(models.Base.metadata.create_all)
    async with AsyncSession(engine) as session:
        await session.run_sync(models.fill)
    texts = counted(engine.sync_engine)

    async def run() -> tuple[Any, int]:
        texts.clear()
        function: Callable[[AsyncSession], Awaitable[Any]] = runpy.run_path(str(path))["run"]
        async with AsyncSession(engine) as session:
            return await function(session), len(texts)

    result, before = await run()
    fix_file(path, tmp_path, cure, lines, before - 1)
    assert await run() == (result, promised)
    assert before > promised
    await engine.dispose()
