"""Cures of statements that are made in one function and executed in another, and of forbidden loads."""

import asyncio
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import MissingGreenlet
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from pitstop import count_queries
from pitstop.advisor.evidence import Evidence, diagnose, load_cures
from pitstop.advisor.fix import plan_fixes, write_fixes
from pitstop.advisor.recorder import start_recorder
from pitstop.advisor.thresholds import Thresholds
from pitstop.scope import open_scope
from pitstop.sql import observe
from pitstop.store import Store, read_store

SOURCES = {
    "caller_models": """
        from sqlalchemy import ForeignKey
        from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

        class Base(DeclarativeBase):
            pass

        class Post(Base):
            __tablename__ = "caller_post"
            id: Mapped[int] = mapped_column(primary_key=True)
            comments: Mapped[list["Comment"]] = relationship()

        class Comment(Base):
            __tablename__ = "caller_comment"
            id: Mapped[int] = mapped_column(primary_key=True)
            post_id: Mapped[int] = mapped_column(ForeignKey("caller_post.id"))
    """,
    "caller_repository": """
        def fetch(session, statement):
            statement = statement.limit(50)
            return session.scalars(statement).all()

        def listed(session, statement):
            return fetch(session, statement)

        async def fetch_async(session, statement):
            return (await session.scalars(statement)).all()
    """,
    "caller_routes": """
        from sqlalchemy import select

        from caller_models import Post
        from caller_repository import fetch_async, listed

        def counts(session):
            posts = listed(session, select(Post).order_by(Post.id))
            return [len(post.comments) for post in posts]

        async def counts_async(session):
            posts = await fetch_async(session, select(Post))
            return [len(post.comments) for post in posts]
    """,
}


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The three modules of a small application, importable while the test runs."""
    for name, text in SOURCES.items():
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(text).lstrip("\n"), "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield tmp_path
    for name in SOURCES:
        sys.modules.pop(name, None)


def imported(name: str) -> ModuleType:
    """A module as its file is now."""
    for each in SOURCES:
        sys.modules.pop(each, None)
    __import__(name)
    return sys.modules[name]


def fill(engine: Any) -> None:
    """Three posts with two comments each."""
    models = sys.modules["caller_models"]
    models.Base.metadata.drop_all(engine)
    models.Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all(models.Post(comments=[models.Comment(), models.Comment()]) for _ in range(3))
        session.commit()


def count(root: Path) -> tuple[list[int], int]:
    """What the application answers, and with how many statements."""
    routes = imported("caller_routes")
    engine = create_engine("sqlite://")
    fill(engine)
    recorder = start_recorder(Store(root / "record"))
    with observe(engine), count_queries(engine) as queries, Session(engine) as session, open_scope("counts"):
        found = routes.counts(session)
    recorder.close()
    engine.dispose()
    return found, queries.count


def test_a_handed_in_statement_is_cured_where_it_is_made(sources: Path) -> None:
    """The options go to the caller's caller, in another file, and the promise holds."""
    before = count(sources)
    plan = plan_fixes(load_cures(sources / "record"), root=sources)
    assert not plan.refusals
    write_fixes(plan.files)
    assert [each.path.name for each in plan.files] == ["caller_routes.py"]
    after = count(sources)
    assert (before[1], after[1]) == (4, 2)
    assert before[0] == after[0] == [2, 2, 2]


def test_a_caller_that_makes_no_statement_is_named(sources: Path) -> None:
    """Where the caller got the statement from elsewhere, both reasons are told."""
    routes = sources / "caller_routes.py"
    routes.write_text(
        routes.read_text("utf-8").replace(
            "listed(session, select(Post).order_by(Post.id))", "listed(session, STATEMENTS[0])"
        )
        + "\nSTATEMENTS = [select(Post)]\n",
        "utf-8",
    )
    count(sources)
    plan = plan_fixes(load_cures(sources / "record"), root=sources)
    assert not plan.files
    (refusal,) = plan.refusals
    assert "statement is a parameter, and where it is handed in:" in refusal.reason
    assert Path(refusal.file).name == "caller_routes.py"


@pytest.fixture
async def async_engine(database_url: str) -> Any:
    engine = create_async_engine(database_url)
    yield engine
    await engine.dispose()


async def test_a_forbidden_load_is_the_first_finding_and_is_cured(
    sources: Path, async_engine: AsyncEngine
) -> None:
    """A lazy load in async code is a finding of its own, and after its fix the code answers."""
    found = await answer(sources, async_engine)
    assert isinstance(found, MissingGreenlet)
    evidence = Evidence(read_store(sources / "record"), None, Thresholds())
    first = diagnose(evidence)[0]
    assert (first.rule, first.severity, first.subject) == ("forbidden-load", "critical", "Post.comments")
    assert first.cure == "selectinload(Post.comments)"
    assert first.location is not None
    assert first.location[2] == "counts_async"
    plan = plan_fixes(load_cures(sources / "record"), root=sources)
    assert [each.fails for each in plan.fixes] == [True]
    write_fixes(plan.files)
    assert await answer(sources, async_engine) == [2, 2, 2]


async def answer(root: Path, engine: AsyncEngine) -> object:
    """What the async route answers, or what it raises."""
    routes = imported("caller_routes")
    async with engine.begin() as connection:
        await connection.run_sync(fill)
    recorder = await asyncio.to_thread(start_recorder, Store(root / "record"))
    try:
        with observe(engine):
            async with AsyncSession(engine) as session:
                with open_scope("counts"):
                    return await routes.counts_async(session)
    except MissingGreenlet as error:
        return error
    finally:
        recorder.close()
