"""N+1s of asynchronous code: ``AsyncSession``, ``awaitable_attrs``, ``run_sync``, tasks."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session, joinedload, selectinload, undefer

from tests.sql.scenarios.models import Author, Comment, Node, Post
from tests.sql.scenarios.record import COLUMN, LAZY, REPEATED, Expect, Scenario, make_positive

SCENARIOS: list[Scenario] = []
positive = make_positive(SCENARIOS)
SIX_TIMES = Expect("", "", (5, 6), kinds=REPEATED, query="", curable=False)
ONE_SELECTIN: dict[str, Any] = {"cured": 2, "reference": lambda: [selectinload(Author.posts)]}
IDS = range(1, 7)


class Name(BaseModel):
    """A name in a response."""

    model_config = ConfigDict(from_attributes=True)
    name: str


@positive(Expect("Author", "posts", 6), **ONE_SELECTIN)
async def awaitable_attributes(session: AsyncSession, options: Any = ()) -> list[Any]:
    authors = (await session.scalars(select(Author).order_by(Author.id).options(*options))).all()  # <query>
    result = []
    for author in authors:
        posts = await author.awaitable_attrs.posts  # <touch>
        result.append([post.title for post in posts])
    return result


@positive(Expect("Post", "author", 6), cured=1, reference=lambda: [joinedload(Post.author)])
async def awaitable_to_one(session: AsyncSession, options: Any = ()) -> list[Any]:
    result = await session.execute(select(Post).order_by(Post.id).options(*options))  # <query>
    return [(await post.awaitable_attrs.author).name for post in result.scalars()]  # <touch>


@positive(
    Expect("Author", "posts", 6),
    Expect("Post", "comments", 18, touch="inner"),
    cured=3,
    reference=lambda: [selectinload(Author.posts).selectinload(Post.comments)],
)
async def awaitable_nested(session: AsyncSession, options: Any = ()) -> list[Any]:
    authors = await session.scalars(select(Author).order_by(Author.id).options(*options))  # <query>
    result = []
    for author in authors.all():
        for post in await author.awaitable_attrs.posts:  # <touch>
            for comment in await post.awaitable_attrs.comments:  # <inner>
                result.append(comment.text)
    return result


@positive(
    Expect("Author", "biography", 6, kinds=COLUMN), cured=1, reference=lambda: [undefer(Author.biography)]
)
async def awaitable_deferred_column(session: AsyncSession, options: Any = ()) -> list[Any]:
    authors = (await session.scalars(select(Author).order_by(Author.id).options(*options))).all()  # <query>
    return [await author.awaitable_attrs.biography for author in authors]  # <touch>


@positive(Expect("Author", "posts", 6), **ONE_SELECTIN)
async def touched_in_run_sync(session: AsyncSession, options: Any = ()) -> Any:
    authors = (await session.scalars(select(Author).order_by(Author.id).options(*options))).all()  # <query>

    def count(_: Session) -> list[int]:
        return [len(author.posts) for author in authors]  # <touch>

    return await session.run_sync(count)


@positive(Expect("Author", "posts", 6), **ONE_SELECTIN)
async def run_sync_for_each(session: AsyncSession, options: Any = ()) -> Any:
    authors = (await session.scalars(select(Author).order_by(Author.id).options(*options))).all()  # <query>
    result = []
    for author in authors:
        result.append(await session.run_sync(lambda _, author=author: len(author.posts)))  # <touch>
    return result


async def _count_posts(author: Author) -> int:
    return len(await author.awaitable_attrs.posts)  # <touch>


class AuthorRepository:
    """The one place that knows how authors are found."""

    def __init__(self, session: AsyncSession, options: Any) -> None:
        self.session = session
        self.options = options

    async def everyone(self) -> list[Author]:
        statement = select(Author).order_by(Author.id).options(*self.options)
        return list(await self.session.scalars(statement))  # <query>

    async def each(self) -> AsyncIterator[Author]:
        for author in await self.everyone():
            yield author


@positive(Expect("Author", "posts", 6), helpers=(AuthorRepository, _count_posts), **ONE_SELECTIN)
async def other_coroutines(session: AsyncSession, options: Any = ()) -> list[Any]:
    return [await _count_posts(author) for author in await AuthorRepository(session, options).everyone()]


@positive(Expect("Author", "posts", 6), helpers=(AuthorRepository, _count_posts), **ONE_SELECTIN)
async def asynchronous_generator(session: AsyncSession, options: Any = ()) -> list[Any]:
    return [await _count_posts(author) async for author in AuthorRepository(session, options).each()]


@positive(Expect("Author", "posts", 6), cured=2, reference=lambda: [selectinload(Author.posts)])
async def streamed(session: AsyncSession, options: Any = ()) -> list[Any]:
    result = []
    stream = await session.stream_scalars(select(Author).order_by(Author.id).options(*options))  # <query>
    for author in await stream.all():  # <query>
        result.append(len(await author.awaitable_attrs.posts))  # <touch>
    return result


@positive(Expect("Author", "posts", 6), **ONE_SELECTIN)
async def task_for_each_in_turn(session: AsyncSession, options: Any = ()) -> list[Any]:
    authors = (await session.scalars(select(Author).order_by(Author.id).options(*options))).all()  # <query>

    async def count(author: Author) -> int:
        return len(await author.awaitable_attrs.posts)  # <touch>

    return [await asyncio.create_task(count(author)) for author in authors]


@positive(Expect("Node", "children", 3), cured=2, reference=lambda: [selectinload(Node.children)])
async def task_group_with_a_lock(session: AsyncSession, options: Any = ()) -> list[Any]:
    statement = select(Node).where(Node.parent_id == 1).order_by(Node.id).options(*options)
    nodes = (await session.scalars(statement)).all()  # <query>
    lock = asyncio.Lock()

    async def children(node: Node) -> list[str]:
        async with lock:
            return [child.name for child in await node.awaitable_attrs.children]  # <touch>

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(children(node)) for node in nodes]
    return [task.result() for task in tasks]


@positive(SIX_TIMES)
async def select_in_a_loop(session: AsyncSession, options: Any = ()) -> list[Any]:
    result = []
    for author in (await session.scalars(select(Author).order_by(Author.id))).all():
        found = await session.execute(select(Post).where(Post.author_id == author.id))  # <touch>
        result.append(len(found.all()))
    return result


@positive(SIX_TIMES)
async def get_in_an_async_loop(session: AsyncSession, options: Any = ()) -> list[Any]:
    result = []
    for number in IDS:
        author = await session.get(Author, number)  # <touch>
        result.append(author and author.name)
    return result


@positive(SIX_TIMES)
async def scalar_in_an_async_comprehension(session: AsyncSession, options: Any = ()) -> list[Any]:
    return [await session.scalar(select(func.count()).where(Post.author_id == n)) for n in IDS]  # <touch>


@positive(SIX_TIMES)
async def gathered_with_a_session_each(session: AsyncSession, options: Any = ()) -> list[Any]:
    engine = session.bind

    async def titles(number: int) -> list[str]:
        async with AsyncSession(engine) as own:
            found = await own.scalars(select(Post.title).where(Post.author_id == number))  # <touch>
            return sorted(found)

    return list(await asyncio.gather(*[titles(number) for number in IDS]))


@positive(SIX_TIMES)
async def connection_in_a_loop(session: AsyncSession, options: Any = ()) -> list[Any]:
    assert isinstance(session.bind, AsyncEngine)
    result = []
    async with session.bind.connect() as connection:
        for number in IDS:
            rows = await connection.execute(select(Post.title).where(Post.author_id == number))  # <touch>
            result.append(sorted(row.title for row in rows))
    return result


@positive(
    Expect("Author", "", (5, 6, 10, 12), kinds=(*LAZY, *COLUMN, *REPEATED), query="", curable=False),
    Expect("Author", "", (5, 6), kinds=(*LAZY, *COLUMN, *REPEATED), query="", curable=False, optional=True),
)
async def refresh_in_an_async_loop(session: AsyncSession, options: Any = ()) -> list[Any]:
    authors = (await session.scalars(select(Author).order_by(Author.id))).all()
    for author in authors:
        await session.refresh(author, ["posts"])  # <touch>
    return [len(author.posts) for author in authors]


@positive(Expect("Comment", "writer", 6), cured=1, reference=lambda: [joinedload(Comment.writer)])
async def fastapi_endpoint(session: AsyncSession, options: Any = ()) -> Any:
    app = FastAPI()

    @app.get("/writers", response_model=list[Name])
    async def writers() -> Any:
        comments = await session.scalars(select(Comment).order_by(Comment.id).options(*options))  # <query>
        return [await comment.awaitable_attrs.writer for comment in comments]  # <touch>

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test") as client:
        return (await client.get("/writers")).json()
