"""Every form of the blog answers alike; the tuned ones with few statements."""

import itertools
import random

import httpx
import pytest
from fastapi import FastAPI

from pitstop import count_queries
from pitstop_services.blog.api import ROUTERS, create_app
from pitstop_services.blog.schemas import PostDetail, PostPage, UserPage

PREFIXES = {form: prefix for form, (prefix, _) in ROUTERS.items()}
TUNED = [PREFIXES["tuned"], PREFIXES["tuned-sync"], PREFIXES["read-models"]]


async def answers(client: httpx.AsyncClient, path: str) -> dict[str, tuple[int, object]]:
    """What each form says to a path."""
    replies = {form: await client.get(prefix + path) for form, prefix in PREFIXES.items()}
    return {form: (reply.status_code, reply.json()) for form, reply in replies.items()}


async def test_forms_agree_on_pages_drawn_at_random(client: httpx.AsyncClient) -> None:
    """The forms agree on forty pages, details and authors that nobody picked by hand."""
    draw = random.Random(7)
    for _ in range(40):
        post = draw.randrange(1, 8071)
        path = draw.choice(
            [
                f"/posts?limit={draw.randrange(1, 30)}&offset={draw.randrange(3400)}",
                f"/posts?limit=5&after={draw.randrange(1_390_000_000, 1_590_000_000)}000000~{post}",
                f"/posts/{post}",
                f"/users/{draw.randrange(1, 11363)}/posts",
            ]
        )
        found = await answers(client, path)
        assert all(each == found["naive"] for each in found.values()), path


async def test_answers_fit_their_documented_models(client: httpx.AsyncClient) -> None:
    """The tuned forms' bytes, made without the response models, are what those models describe."""
    models = {"/posts?limit=100": PostPage, "/posts/646": PostDetail, "/users/5064/posts": UserPage}
    for (path, model), prefix in itertools.product(models.items(), TUNED):
        reply = await client.get(prefix + path)
        assert reply.headers["content-type"] == "application/json"
        assert model.model_validate_json(reply.content).model_dump(mode="json") == reply.json()


async def test_the_list_tells_what_it_should(client: httpx.AsyncClient) -> None:
    """A page has newest posts first, the exact total, previews of 200 characters and true counts."""
    page = (await client.get("/posts?limit=100")).json()
    keys = [(post["created_at"], post["id"]) for post in page["posts"]]
    assert keys == sorted(keys, reverse=True)
    assert (page["total"], page["limit"], page["offset"]) == (3306, 100, 0)
    assert max(len(post["preview"]) for post in page["posts"]) == 200
    for post in page["posts"][:5]:
        alone = (await client.get(f"/posts/{post['id']}")).json()
        assert post["comment_count"] == len(alone["comments"])
        assert post["preview"] == alone["body"][:200]
        assert post["author_name"] == (alone["author"] or {}).get("name")


@pytest.mark.parametrize("prefix", PREFIXES.values(), ids=PREFIXES)
async def test_keyset_pages_cover_everything_once(client: httpx.AsyncClient, prefix: str) -> None:
    """Following `next` visits a user's posts once each, in the order of the whole."""
    whole = (await client.get(f"{prefix}/users/268/posts?limit=100")).json()
    seen, after = [], ""
    while after is not None:
        page = (await client.get(f"{prefix}/users/268/posts?limit=7{after and '&after='}{after}")).json()
        seen += page["posts"]
        after = page["next"]
    assert seen == whole["posts"]
    assert len(seen) == whole["total"]


@pytest.mark.parametrize("prefix", TUNED)
@pytest.mark.parametrize("path", ["/posts", "/users/5064/posts", "/posts/search?q=malt"])
async def test_tuned_pages_take_the_same_few_statements(
    client: httpx.AsyncClient, prefix: str, path: str
) -> None:
    """A tuned page takes two statements, whether it has one row or a hundred, and has no N+1."""
    counts = []
    for limit in (1, 20, 100):
        with count_queries() as queries:
            await client.get(prefix + path, params=httpx.URL(path).params.set("limit", limit))
        counts.append(queries.count)
        assert not queries.n_plus_one
    assert counts == [2, 2, 2]


@pytest.mark.parametrize("prefix", TUNED)
async def test_a_tuned_post_takes_two_statements(client: httpx.AsyncClient, prefix: str) -> None:
    """A post takes two statements, a read model one, whether it has thirteen comments or none."""
    for post in (646, 7):
        with count_queries() as queries:
            await client.get(f"{prefix}/posts/{post}")
        assert queries.count == (1 if prefix == PREFIXES["read-models"] else 2)


@pytest.mark.parametrize("form", ["naive", "naive-async"])
async def test_a_naive_list_takes_a_statement_a_row_and_an_author(
    client: httpx.AsyncClient, form: str
) -> None:
    """The naive list takes two statements, one for each author and one for each post."""
    with count_queries() as queries:
        page = (await client.get(f"{PREFIXES[form]}/posts?limit=100")).json()
    authors = {post["author_id"] for post in page["posts"]} - {None}
    assert queries.count == 2 + len(authors) + 100
    assert {(each.parent, each.relationship) for each in queries.n_plus_one} == {
        ("Post", "author"),
        ("Post", "comments"),
    }


async def test_the_naive_list_with_peer_loading_takes_four_statements(client: httpx.AsyncClient) -> None:
    """The same endpoints: posts, their number, all authors, all comments, whatever the limit."""
    counts = []
    for limit in (10, 20, 100):
        with count_queries() as queries:
            await client.get(f"{PREFIXES['naive-peers']}/posts?limit={limit}")
        counts.append(queries.count)
        assert not queries.n_plus_one
    assert counts == [4, 4, 4]


def test_the_address_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an argument the application takes the address from `PITSTOP_DATABASE_URL`."""
    monkeypatch.setenv("PITSTOP_DATABASE_URL", "postgres://somebody@example.invalid/blog")
    app: FastAPI = create_app("tuned")
    assert app.state.async_engine.url.host == "example.invalid"
