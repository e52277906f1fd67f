"""Changes: no response is served after one, in any worker."""

import asyncio
from concurrent.futures import Future
from typing import Any

from fastapi import FastAPI
from sqlalchemy import String, select, update
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from pitstop.cache import Cache
from pitstop.cache.effects import Wait
from tests.cache.conftest import OpenCache
from tests.cache.responses.site import LONG, Serve, Site


async def test_an_invalidation_reaches_every_worker(workers: list[Cache], site: Site, serve: Serve) -> None:
    """By the tag that the path gave, and not by that of another path."""
    tags = ["post:{post_id}"]
    one, other = [await serve(each.responses(ttl=60, tags=tags)(site.app)) for each in workers]
    for client in (one, other, one, other):
        await client.get("/posts/7")
        await client.get("/posts/8")
    assert site.asked == ["7", "8"]
    site.text = "new"
    await workers[1].invalidate("post:7")
    assert (await one.get("/posts/7")).text == "7: new"
    assert (await other.get("/posts/7")).text == "7: new"
    assert (await one.get("/posts/8")).text == f"8: {LONG}"


async def test_tags_of_cached_functions_inside(workers: list[Cache], serve: Serve) -> None:
    """A response depends on what the cached functions in it depend on, and on what ``tag`` says."""
    one, other = workers
    names = {"user:1": "Ann", "motd": "hello"}
    app = FastAPI()

    @one.cached(ttl=60, tags=["user:{user}"])
    async def name_of(user: int) -> str:
        return names[f"user:{user}"]

    @app.get("/hello")
    async def hello() -> str:
        one.tag("motd")
        return f"{names['motd']} {await name_of(1)}"

    client = await serve(one.responses(ttl=60)(app))
    assert [(await client.get("/hello")).json() for _ in range(2)] == ["hello Ann", "hello Ann"]
    names["user:1"] = "Eve"
    await other.invalidate("user:1")
    assert (await client.get("/hello")).json() == "hello Eve"
    names["motd"] = "bye"
    await other.invalidate("motd")
    assert (await client.get("/hello")).json() == "bye Eve"
    assert one.stats().namespaces["responses"].memory_hits == 1


async def test_other_spellings_are_not_kept(cache: Cache, site: Site, serve: Serve) -> None:
    """``007`` is post 7 for the route and would have another tag: it is answered each time anew."""
    client = await serve(cache.responses(ttl=60, tags=["post:{post_id}"])(site.app))
    for spelling in ("007", "7.0", "+7"):
        for _ in range(2):
            assert (await client.get(f"/typed/{spelling}")).text.startswith("7: ")
    assert len(site.asked) == 6
    for _ in range(2):
        await client.get("/typed/7")
    assert len(site.asked) == 7


async def test_tags_from_a_function_and_the_query(cache: Cache, site: Site, serve: Serve) -> None:
    """A function of the scope gives tags, a template takes the query; one that a route lacks is left out."""
    tags = ["user:{user}", lambda scope: [f"path:{scope['path']}"]]
    client = await serve(cache.responses(ttl=60, tags=tags)(site.app))
    for tag in ("user:3", "path:/text"):
        for _ in range(2):
            await client.get("/text?user=3")
            await client.get("/posts/1")
        await cache.invalidate(tag)
    assert site.asked == ["http://site/text?user=3", "1", "http://site/text?user=3"]


async def test_a_commit_invalidates(database_url: str, workers: list[Cache], serve: Serve) -> None:
    """What a session commits, row by row or in bulk, is in the next response of every worker."""

    class Base(DeclarativeBase):
        pass

    class Note(Base):
        __tablename__ = "response_notes"
        id: Mapped[int] = mapped_column(primary_key=True)
        text: Mapped[str] = mapped_column(String)

    engine = create_async_engine(database_url)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    app, asked = FastAPI(), []

    @app.get("/notes/{note_id}")
    async def show(note_id: int) -> str:
        asked.append(note_id)
        async with AsyncSession(engine) as session:
            return (await session.scalars(select(Note.text).where(Note.id == note_id))).one()

    async with AsyncSession(engine) as session:
        session.add_all([Note(id=1, text="one"), Note(id=2, text="two")])
        await session.commit()
    workers[1].invalidate_on_commit(Note, tags=["note:{id}"])
    one, other = [await serve(each.responses(ttl=60, tags=["note:{note_id}"])(app)) for each in workers]
    for client in (one, other):
        assert (await client.get("/notes/1")).json() == "one"
        assert (await client.get("/notes/2")).json() == "two"
    async with AsyncSession(engine) as session:
        note = await session.get_one(Note, 1)
        note.text = "changed"
        await session.commit()
    assert [(await client.get("/notes/1")).json() for client in (one, other)] == ["changed", "changed"]
    await one.get("/notes/2")
    assert asked.count(2) == 1
    async with AsyncSession(engine) as session:
        await session.execute(update(Note).values(text="all"))
        await session.commit()
    assert [(await client.get("/notes/2")).json() for client in (one, other)] == ["all", "all"]
    await engine.dispose()


async def test_a_client_does_not_wait_for_redis(
    open_cache: OpenCache, redis_url: str, site: Site, serve: Serve
) -> None:
    """A page is answered before Redis has it; who asks after a change in between gets the new one."""
    cache = open_cache(redis=redis_url)
    await cache.start()
    client = await serve(cache.responses(ttl=60, tags=["post:{post_id}"])(site.app))
    kept: Future[None] = Future()
    capture = cache._parts.loads.flows._captured

    def late(*given: Any) -> Any:
        yield Wait(kept, 30.0)
        return (yield from capture(*given))

    cache._parts.loads.flows._captured = late  # type: ignore[method-assign]
    assert (await client.get("/posts/1")).text == f"1: {LONG}"
    assert not kept.done()
    site.text = "new"
    await cache.invalidate("post:1")
    asked = asyncio.create_task(client.get("/posts/1"))
    await asyncio.sleep(0.05)
    kept.set_result(None)
    assert (await asked).text == "1: new"
    assert (await client.get("/posts/1")).text == "1: new"
    assert site.asked == ["1", "1"]
