"""N+1s by where the code stands: helpers, generators, templates, threads, streams, serialisers."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import jinja2
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Select, select
from sqlalchemy.orm import Session, joinedload, selectinload

from tests.sql.scenarios import models
from tests.sql.scenarios.models import Author, Post
from tests.sql.scenarios.record import REPEATED, Expect, Scenario, make_positive

SCENARIOS: list[Scenario] = []
positive = make_positive(SCENARIOS)
ONE_SELECTIN: dict[str, Any] = {"cured": 2, "reference": lambda: [selectinload(Author.posts)]}
ONE_JOINED: dict[str, Any] = {"cured": 1, "reference": lambda: [joinedload(Post.author)]}


class PostOut(BaseModel):
    """A post in a response."""

    model_config = ConfigDict(from_attributes=True)
    id: int
    title: str


class AuthorOut(BaseModel):
    """An author in a response."""

    model_config = ConfigDict(from_attributes=True)
    name: str
    posts: list[PostOut]


@dataclass
class AuthorRecord:
    """An author as a record of the domain."""

    name: str
    titles: list[str]

    @classmethod
    def of(cls, author: Author) -> "AuthorRecord":
        return cls(author.name, [post.title for post in author.posts])  # <touch>


def _everyone(session: Session, options: Any) -> Sequence[Author]:
    return session.scalars(select(Author).order_by(Author.id).options(*options)).all()  # <query>


class AuthorRepository:
    """The one place that knows how authors are found."""

    def __init__(self, session: Session, options: Any) -> None:
        self.session = session
        self.options = options

    def everyone(self) -> Sequence[Author]:
        return self._all(select(Author).order_by(Author.id).options(*self.options))  # <query>

    def _all(self, statement: Select[tuple[Author]]) -> Sequence[Author]:
        return self.session.scalars(statement).all()  # <query>


def _count_posts(author: Author) -> int:
    return len(author.posts)  # <touch>


def _names_of(things: Any, attribute: str) -> list[str]:
    return [getattr(thing, attribute).name for thing in things]  # <touch>


def _stories(authors: Sequence[Author]) -> Iterator[list[str]]:
    for author in authors:
        yield [post.title for post in author.posts]  # <touch>


@positive(Expect("Author", "posts", 6), helpers=(_everyone, _count_posts), **ONE_SELECTIN)
def other_functions(session: Session, options: Any = ()) -> list[Any]:
    return [_count_posts(author) for author in _everyone(session, options)]


@positive(Expect("Author", "posts", 6), helpers=(AuthorRepository,), **ONE_SELECTIN)
def repository_class(session: Session, options: Any = ()) -> list[Any]:
    return [len(author.posts) for author in AuthorRepository(session, options).everyone()]  # <touch>


@positive(Expect("Post", "author", 6), helpers=(_names_of,), **ONE_JOINED)
def generic_helper(session: Session, options: Any = ()) -> list[Any]:
    posts = session.scalars(select(Post).order_by(Post.id).options(*options)).all()  # <query>
    return _names_of(posts, "author")


@positive(Expect("Author", "posts", 6), **ONE_SELECTIN)
def count_by_len(session: Session, options: Any = ()) -> dict[str, int]:
    authors = session.scalars(select(Author).options(*options))  # <query>
    return {author.name: len(author.posts) for author in authors}  # <touch>


@positive(Expect("Author", "posts", 6), **ONE_SELECTIN)
def statement_over_several_lines(session: Session, options: Any = ()) -> list[Any]:
    authors = (
        session.execute(  # <query>
            select(Author)  # <query>
            .order_by(Author.id)  # <query>
            .options(*options)  # <query>
        )
        .scalars()  # <query>
        .all()  # <query>
    )
    return [len(author.posts) for author in authors]  # <touch>


@positive(Expect("Author", "posts", 6), **ONE_SELECTIN)
def legacy_query(session: Session, options: Any = ()) -> list[Any]:
    authors = session.query(Author).order_by(Author.id).options(*options).all()  # <query>
    return [len(author.posts) for author in authors]  # <touch>


@positive(Expect("Author", "posts", 6), **ONE_SELECTIN)
def legacy_query_iterated(session: Session, options: Any = ()) -> list[Any]:
    result = []
    for author in session.query(Author).order_by(Author.id).options(*options):  # <query>
        result.append(len(author.posts))  # <touch>
    return result


@positive(Expect("Author", "posts", 6), helpers=(_stories,), **ONE_SELECTIN)
def generator_consumed_elsewhere(session: Session, options: Any = ()) -> list[Any]:
    authors = session.scalars(select(Author).order_by(Author.id).options(*options)).all()  # <query>
    return list(_stories(authors))


@positive(Expect("Post", "author", 6), **ONE_JOINED)
def sorted_by_key(session: Session, options: Any = ()) -> list[Any]:
    posts = session.scalars(select(Post).order_by(Post.id).options(*options)).all()  # <query>
    return [post.id for post in sorted(posts, key=lambda post: (post.author.name, post.id))]  # <touch>


@positive(Expect("Author", "posts", 6), **ONE_SELECTIN)
def any_in_a_generator_expression(session: Session, options: Any = ()) -> bool:
    authors = session.scalars(select(Author).order_by(Author.id).options(*options)).all()  # <query>
    return any("nothing" in post.title for author in authors for post in author.posts)  # <touch>


@positive(Expect("Author", "posts", 6), helpers=(_count_posts,), **ONE_SELECTIN)
def mapped_function(session: Session, options: Any = ()) -> list[Any]:
    authors = session.scalars(select(Author).order_by(Author.id).options(*options)).all()  # <query>
    return list(map(_count_posts, authors))


@positive(Expect("Author", "posts", 6, touch="touch|property"), helpers=(models,), **ONE_SELECTIN)
def property_of_the_model(session: Session, options: Any = ()) -> list[Any]:
    authors = session.scalars(select(Author).order_by(Author.id).options(*options)).all()  # <query>
    return [author.headline for author in authors]  # <touch>


@positive(Expect("Author", "posts", 6, touch="touch|hybrid"), helpers=(models,), **ONE_SELECTIN)
def hybrid_property(session: Session, options: Any = ()) -> list[Any]:
    authors = session.scalars(select(Author).order_by(Author.id).options(*options)).all()  # <query>
    return [author.letters for author in authors]  # <touch>


@positive(Expect("Post", "author", 6, touch="touch|repr"), helpers=(models,), **ONE_JOINED)
def repr_of_the_model(session: Session, options: Any = ()) -> list[Any]:
    posts = session.scalars(select(Post).order_by(Post.id).options(*options)).all()  # <query>
    return [repr(post) for post in posts]  # <touch>


@positive(Expect("Author", "posts", 6), **ONE_SELECTIN)
def association_proxy(session: Session, options: Any = ()) -> list[Any]:
    authors = session.scalars(select(Author).order_by(Author.id).options(*options)).all()  # <query>
    return [list(author.post_titles) for author in authors]  # <touch>


@positive(Expect("Author", "posts", 6), helpers=(AuthorRecord,), **ONE_SELECTIN)
def dataclass_conversion(session: Session, options: Any = ()) -> list[Any]:
    authors = session.scalars(select(Author).order_by(Author.id).options(*options)).all()  # <query>
    return [AuthorRecord.of(author) for author in authors]


@positive(Expect("Author", "posts", 6), **ONE_SELECTIN)
def pydantic_validation(session: Session, options: Any = ()) -> list[Any]:
    authors = session.scalars(select(Author).order_by(Author.id).options(*options)).all()  # <query>
    return [AuthorOut.model_validate(author).model_dump() for author in authors]  # <touch>


@positive(Expect("Author", "posts", 6), **ONE_SELECTIN)
def jinja_template(session: Session, options: Any = ()) -> str:
    template = jinja2.Environment(autoescape=True).from_string(
        "{% for author in authors %}{% for post in author.posts %}{{ post.title }}{% endfor %}{% endfor %}"
    )
    authors = session.scalars(select(Author).order_by(Author.id).options(*options)).all()  # <query>
    return template.render(authors=authors)  # <touch>


@positive(Expect("Author", "posts", 6), mode="sync", **ONE_SELECTIN)
def whole_work_in_a_thread(session: Session, options: Any = ()) -> list[Any]:
    result: list[Any] = []

    def work() -> None:
        authors = session.scalars(select(Author).order_by(Author.id).options(*options)).all()  # <query>
        result.extend(len(author.posts) for author in authors)  # <touch>

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return result


@positive(Expect("Author", "posts", 6), mode="sync", **ONE_SELECTIN)
def touched_in_to_thread(session: Session, options: Any = ()) -> list[Any]:
    authors = session.scalars(select(Author).order_by(Author.id).options(*options)).all()  # <query>

    def work() -> list[int]:
        return [len(author.posts) for author in authors]  # <touch>

    return asyncio.run(asyncio.to_thread(work))


@positive(Expect("Author", "posts", 6), cured=4, reference=lambda: [selectinload(Author.posts)])
def streamed_in_batches(session: Session, options: Any = ()) -> list[Any]:
    statement = select(Author).order_by(Author.id).options(*options).execution_options(yield_per=2)
    result = []
    for author in session.scalars(statement):  # <query>
        result.append(len(author.posts))  # <touch>
    return result


@positive(Expect("Author", "posts", 6), cured=4, reference=lambda: [selectinload(Author.posts)])
def streamed_in_partitions(session: Session, options: Any = ()) -> list[Any]:
    statement = select(Author).order_by(Author.id).options(*options).execution_options(yield_per=2)
    result = []
    for authors in session.scalars(statement).partitions():  # <query>
        result.extend(len(author.posts) for author in authors)  # <touch>
    return result


@positive(
    Expect("", "", (5, 6), kinds=REPEATED, touch="get", query="", curable=False),
    Expect("Author", "posts", 6, query="", curable=False, optional=True),
)
def parents_got_one_by_one(session: Session, options: Any = ()) -> list[Any]:
    authors = [session.get_one(Author, number, options=options) for number in range(1, 7)]  # <get>
    return [len(author.posts) for author in authors]  # <touch>


def _application(session: Session, options: Any, *, model: Any) -> FastAPI:
    app = FastAPI()

    @app.get("/authors", response_model=list[model])
    def authors() -> Any:
        return session.scalars(select(Author).order_by(Author.id).options(*options)).all()  # <query>

    return app


async def _fetch(app: FastAPI) -> Any:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test") as client:
        response = await client.get("/authors")
    assert response.status_code == 200
    return response.json()


@positive(Expect("Author", "posts", 6, touch=""), mode="sync", helpers=(_application,), **ONE_SELECTIN)
def fastapi_response_model(session: Session, options: Any = ()) -> Any:
    return asyncio.run(_fetch(_application(session, options, model=AuthorOut)))


def _rest(session: Session, options: Any) -> FastAPI:
    app = FastAPI()

    @app.get("/authors")
    async def authors() -> list[AuthorOut]:
        return session.scalars(select(Author).order_by(Author.id).options(*options)).all()  # type: ignore[return-value]  # <query>

    return app


@positive(Expect("Author", "posts", 6, touch=""), mode="sync", helpers=(_rest,), **ONE_SELECTIN)
def fastapi_response_of_a_coroutine(session: Session, options: Any = ()) -> Any:
    return asyncio.run(_fetch(_rest(session, options)))
