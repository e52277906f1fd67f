"""Wide columns that a route loads and cannot show: found in a real application, silent where in doubt."""

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import httpx
import pytest
from pydantic import BaseModel, Field
from sqlalchemy import make_url

from pitstop import Pitstop
from pitstop.advisor.evidence import diagnose, gather
from pitstop.advisor.finding import Finding
from pitstop.advisor.response import response_fields, response_models
from pitstop.postgres.address import psycopg_url

MODELS = """
from sqlalchemy import JSON, ForeignKey, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

class Base(DeclarativeBase): pass

class Writer(Base):
    __tablename__ = "writer"
    id: Mapped[int] = mapped_column(primary_key=True)
    bio: Mapped[str] = mapped_column(Text)

class Post(Base):
    __tablename__ = "post"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(80))
    body: Mapped[str] = mapped_column(Text)
    notes: Mapped[str] = mapped_column("remarks", Text)
    about: Mapped[dict] = mapped_column(JSON)
    slug: Mapped[str]
    writer_id: Mapped[int] = mapped_column(ForeignKey("writer.id"))
    writer: Mapped[Writer] = relationship()
"""

API = """
from fastapi import Depends, FastAPI
from pydantic import BaseModel, ConfigDict
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session, defer, joinedload
from {package}_models import Base, Post, Writer
from {package}_more import more

engine = create_engine({url!r})
app = FastAPI()

class WriterOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: int

class PostOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: int
    title: str
    writer: WriterOut

def listed(session):
    return session.scalars(select(Post).options(joinedload(Post.writer))).all()

def session():
    with Session(engine) as session:
        yield session

@app.get("/posts")
def posts(session: Session = Depends(session)) -> list[PostOut]:
    return listed(session)
"""

Shop = Callable[..., ModuleType]


@pytest.fixture
def shop(tmp_path: Path, sync_database_url: str) -> Iterator[Shop]:
    """Writes and imports an application with fifty posts; ends with its modules forgotten."""
    package = f"columns_{make_url(sync_database_url).database}"
    names = [f"{package}_{name}" for name in ("models", "more", "api")]
    loaded: list[Any] = []

    def load(name: str, source: str) -> Any:
        path = tmp_path / f"{name}.py"
        path.write_text(source)
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    def make(*, models: str = "", more: str = "def more(): ...", api: str = "") -> ModuleType:
        load(names[0], MODELS + models)
        load(names[1], more)
        module = load(names[2], API.format(package=package, url=psycopg_url(sync_database_url)) + api)
        loaded.append(module)
        module.Base.metadata.create_all(module.engine)
        with module.Session(module.engine) as session:
            long = {"body": "b" * 600, "about": {"a": "b" * 600}, "notes": "short", "slug": "s" * 300}
            session.add_all(
                module.Post(title="t", **long, writer=module.Writer(bio=os.urandom(4_000).hex()))
                for _ in range(50)
            )
            session.commit()
        with module.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("ANALYZE")
        return module

    yield make
    for module in loaded:
        module.engine.dispose()
        module.Base.registry.dispose()
    for name in names:
        sys.modules.pop(name, None)


async def judge(module: Any, store: Path, *paths: str, url: str | None = None) -> list[Finding]:
    with Pitstop(module.app, engine=module.engine, store=store):
        transport = httpx.ASGITransport(app=module.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            for path in paths or ("/posts",):
                assert (await client.get(path)).status_code == 200
    found = diagnose(gather(store, database_url=url))
    return sorted((each for each in found if each.rule == "unused-columns"), key=lambda each: each.subject)


async def test_by_type(shop: Shop, tmp_path: Path) -> None:
    """Without a database text and JSON are told at the line of the query, of joined classes too."""
    post, writer = await judge(shop(), tmp_path / "record")
    assert (post.subject, post.severity) == ("Post.about, Post.body, Post.notes", "info")
    assert writer.subject == "Writer.bio"
    assert (
        post.what
        == "GET /posts loads Post.about, Post.body, Post.notes, which no field of the response shows"
    )
    assert post.location is not None
    assert post.location[2] == "listed"
    assert post.details["rows_per_call"] == 50
    assert post.details["bytes_per_row"] is None
    assert "defer(Post.about) and defer(Post.body)" in post.cure


async def test_by_width(shop: Shop, tmp_path: Path, sync_database_url: str) -> None:
    """With a database the measured width decides: long strings join, short texts are left out."""
    post, writer = await judge(shop(), tmp_path / "record", url=sync_database_url)
    assert (post.subject, post.severity) == ("Post.about, Post.body, Post.slug", "warning")
    assert 1_500 < post.details["bytes_per_row"] < 1_700
    assert (writer.subject, writer.details["bytes_per_row"]) == ("Writer.bio", None)  # stored outside the row


NESTED = """
class WriterMore(WriterOut):
    bio: str

class PostMore(PostOut):
    body: str
    writer: WriterMore

@app.get("/more")
def more_posts(session: Session = Depends(session)) -> list[PostMore]:
    return listed(session)
"""


async def test_another_route_of_the_same_query_shows_it(shop: Shop, tmp_path: Path) -> None:
    """A column is told only if no route behind the query shows it, nested models included."""
    (post,) = await judge(shop(api=NESTED), tmp_path / "record", "/posts", "/more")
    assert post.subject == "Post.about, Post.notes"
    assert sorted(post.details["routes"]) == ["GET /more", "GET /posts"]


RAW = """
@app.get("/raw", response_model=None)
def raw(session: Session = Depends(session)):
    return len(listed(session))
"""


async def test_another_route_may_show_anything(shop: Shop, tmp_path: Path) -> None:
    """A route without a response model behind the same query silences it."""
    assert await judge(shop(api=RAW), tmp_path / "record", "/posts", "/raw") == []


@pytest.mark.parametrize(
    "changed",
    [
        {"models": "    @property\n    def short(self): return self.body[:9]\n"},
        {"more": "def more(post): return post.body"},
        {"api": "\ndef elsewhere(post): return getattr(post, 'body')\n"},
    ],
    ids=["mapped class", "imported function", "endpoint's module"],
)
async def test_code_that_may_use_it(shop: Shop, tmp_path: Path, changed: dict[str, str]) -> None:
    """An attribute of that name in the code around is enough to be silent about it."""
    post, _ = await judge(shop(**changed), tmp_path / "record")
    assert post.subject == "Post.about, Post.notes"


CURED = """
@app.get("/cured")
def cured(session: Session = Depends(session)) -> list[PostOut]:
    return session.scalars(select(Post).options(
        defer(Post.body), defer(Post.notes), defer(Post.about), joinedload(Post.writer).defer(Writer.bio)
    )).all()
"""


async def test_the_cure_cures(shop: Shop, tmp_path: Path) -> None:
    """With the options of the cure in place nothing is left to say."""
    assert await judge(shop(api=CURED), tmp_path / "record", "/cured") == []


class Leaf(BaseModel):
    """A model."""

    name: str = Field(alias="n")


class Tree(BaseModel):
    """A model of itself."""

    leaves: dict[str, list[Leaf]] | None
    twin: "Tree | None"
    kind: Literal["a", "b"]


class Open(BaseModel):
    """A model that shows anything."""

    tree: Tree
    rest: dict[str, Any]


def test_fields_of_response_models() -> None:
    """All models within one are found, with the aliases of their fields."""
    models = response_models(list[Tree] | None)
    assert models == {Tree, Leaf}
    assert response_fields(models) == {"leaves", "twin", "kind", "name", "n"}


@pytest.mark.parametrize("annotation", [None, Any, dict, list, Open, list[Any], int, dict[str, object]])
def test_models_that_show_anything(annotation: object) -> None:
    """Where anything may be shown, nothing is known."""
    assert response_models(annotation) is None
