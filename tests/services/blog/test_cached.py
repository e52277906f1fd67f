"""The cached form: answered without a statement, and never with what was before a commit."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from pitstop import count_queries
from pitstop_services.blog.api import create_app
from pitstop_services.blog.models import Comment, Post, User

DRAFT = {"title": "New", "body": "words", "tags": ["malt"], "author_id": 2}
PATHS = ("/posts", "/posts?limit=100", "/posts/646", "/users/5064/posts", "/posts/search?q=malt")


@pytest.fixture(params=["memory", "redis"])
def workers(request: pytest.FixtureRequest, database_url: str) -> list[FastAPI]:
    """One application alone, or two on one Redis."""
    if request.param == "memory":
        return [create_app("cached", database_url=database_url)]
    redis_url = request.getfixturevalue("redis_url")
    return [create_app("cached", database_url=database_url, redis_url=redis_url) for _ in range(2)]


@pytest.fixture
async def clients(workers: list[FastAPI]) -> AsyncIterator[list[httpx.AsyncClient]]:
    made = [httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://blog") for app in workers]
    lives = [app.router.lifespan_context(app) for app in workers]
    for app, life in zip(workers, lives, strict=True):
        await life.__aenter__()
        await app.state.cache.start()
    for client in made:
        await settled(client)
    yield made
    for client, life in zip(made, lives, strict=True):
        await client.aclose()
        await life.__aexit__(None, None, None)


async def settled(client: httpx.AsyncClient) -> None:
    """Ask until an answer is kept: what an engine's first transaction reads may not be."""
    for _ in range(400):
        with count_queries() as queries:
            await client.get("/posts?limit=1")
        if not queries.count:
            return
        await asyncio.sleep(0.05)
    pytest.fail("nothing was kept within 20 s")


async def test_the_second_time_takes_no_statement(clients: list[httpx.AsyncClient]) -> None:
    """Every read is answered from the cache, in every worker, with the same bytes."""
    for path in PATHS:
        first = await clients[0].get(path)
        with count_queries() as queries:
            for client in clients:
                reply = await client.get(path)
                assert reply.content == first.content
                assert reply.headers["etag"] == first.headers["etag"]
        assert queries.count == 0, path


async def test_a_change_is_everywhere_at_once(clients: list[httpx.AsyncClient]) -> None:
    """After a PUT was answered no list and no post shows what was before, in any worker."""
    page = (await clients[0].get("/posts?limit=20")).json()["posts"]
    post = next(each for each in page if each["author_id"] is not None)
    paths = (
        f"/posts/{post['id']}",
        "/posts?limit=20",
        "/posts?limit=100",
        f"/users/{post['author_id']}/posts?limit=100",
    )
    for client in clients:
        for path in paths:
            assert "Changed!" not in (await client.get(path)).text
    change = {"title": "Changed!", "body": "b", "tags": []}
    await clients[0].put(f"/posts/{post['id']}", json=change)
    for client in reversed(clients):
        for path in paths:
            assert "Changed!" in (await client.get(path)).text, path


async def test_a_change_leaves_other_pages(clients: list[httpx.AsyncClient]) -> None:
    """A page that shows other posts stays, and so does another post."""
    page = (await clients[0].get("/posts?limit=20&offset=40")).json()
    await clients[0].get("/posts/646")
    assert 7 not in {post["id"] for post in page["posts"]}
    await clients[0].put("/posts/7", json={"title": "T", "body": "b", "tags": []})
    await asyncio.sleep(0.05)
    with count_queries() as queries:
        await clients[0].get("/posts?limit=20&offset=40")
        await clients[0].get("/posts/646")
    assert queries.count == 0


async def test_a_new_post_is_on_top(clients: list[httpx.AsyncClient]) -> None:
    """After a POST was answered every list has the post, and its total counts it."""
    for client in clients:
        assert (await client.get("/posts?limit=1")).json()["total"] == 3306
        await client.get("/users/2/posts")
    post = (await clients[0].post("/posts", json=DRAFT)).json()
    for client in reversed(clients):
        page = (await client.get("/posts?limit=1")).json()
        assert (page["total"], page["posts"][0]["id"]) == (3307, post["id"])
        assert (await client.get("/users/2/posts")).json()["posts"][0]["id"] == post["id"]


async def test_comments_and_names_count(workers: list[FastAPI], clients: list[httpx.AsyncClient]) -> None:
    """A new comment changes counts in lists; a new name, and what is hidden in bulk, all that showed it."""
    sessions = AsyncSession(workers[0].state.async_engine)
    page = (await clients[-1].get("/posts?limit=20")).json()["posts"]
    post = next(each for each in page if each["author_id"] is not None)
    await clients[-1].get("/posts?limit=100")
    async with sessions as session:
        session.add(Comment(post_id=post["id"], body="Indeed."))
        (await session.get_one(User, post["author_id"])).name = "Renamed"
        await session.commit()
        for limit in (20, 100):
            listed = (await clients[-1].get(f"/posts?limit={limit}")).json()["posts"]
            shown = next(each for each in listed if each["id"] == post["id"])
            assert shown["comment_count"] == post["comment_count"] + 1
            assert shown["author_name"] == "Renamed"
        await session.execute(update(Post).where(Post.id == post["id"]).values(is_published=False))
        await session.commit()
    assert (await clients[-1].get("/posts?limit=1")).json()["total"] == 3305


async def test_what_is_missing_is_not_kept(clients: list[httpx.AsyncClient]) -> None:
    """A post that is not there yet is there as soon as it was written."""
    post_id = (await clients[0].post("/posts", json=DRAFT)).json()["id"] + 1
    assert (await clients[-1].get(f"/posts/{post_id}")).status_code == 404
    await clients[0].post("/posts", json=DRAFT)
    assert (await clients[-1].get(f"/posts/{post_id}")).status_code == 200
