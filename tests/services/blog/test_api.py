"""Every form of the blog answers alike; the tuned ones with few statements."""

import itertools
import random

import httpx
import pytest
from fastapi import FastAPI

from pitstop import count_queries
from pitstop.errors import SettingsError
from pitstop_services.blog.api import ROUTERS, create_app
from pitstop_services.blog.schemas import PostDetail, PostPage, UserPage

PREFIXES = {form: prefix for form, (prefix, _) in ROUTERS.items()}
TUNED = [PREFIXES["tuned"], PREFIXES["tuned-sync"], PREFIXES["read-models"]]

PATHS = {
    "first page": "/posts",
    "longest page": "/posts?limit=100",
    "deep page": "/posts?limit=7&offset=3200",
    "last page, not full": "/posts?limit=100&offset=3300",
    "empty page": "/posts?offset=3306",
    "far beyond the end": "/posts?limit=1&offset=9223372036854775807",
    "below a cursor": "/posts?limit=50&after=1580888898497000~8070",
    "below a cursor, skipping": "/posts?limit=5&offset=3&after=1580888898497000~8070",
    "below the first of all": "/posts?after=0~0",
    "below the greatest cursor": "/posts?limit=1&after=9999999999999999~999999999999999999",
    "a question with comments": "/posts/646",
    "an answer": "/posts/4",
    "a post whose author is gone": "/posts/{orphan}",
    "an unpublished post": "/posts/94",
    "no such post": "/posts/424242",
    "the greatest id": f"/posts/{2**63 - 1}",
    "the author of most": "/users/5064/posts?limit=100",
    "the author of most, below": "/users/5064/posts?limit=9&after=1500000000000000~1",
    "a user without posts": "/users/9999/posts",
    "the account -1": "/users/-1/posts",
    "no such user": "/users/424242/posts",
    "search": "/posts/search?q=malt hop&limit=30",
    "search in another script": "/posts/search?q=맥주 酒",
    "search for a stray quote": "/posts/search?q=' OR 1=1 --",
    "search below a cursor": "/posts/search?q=malt&limit=3&after=1580888898497000~8070",
    "search without a hit": "/posts/search?q=gasoline",
}
REFUSED = [
    "/posts?limit=0",
    "/posts?limit=101",
    "/posts?limit=ten",
    "/posts?offset=-1",
    f"/posts?offset={2**63}",
    "/posts?after=",
    "/posts?after=yesterday",
    "/posts?after=1~99999999999999999999",
    "/posts?after=99999999999999999~1",
    f"/posts/{2**63}",
    "/posts/one",
    "/users/one/posts",
    "/posts/search",
    "/posts/search?q=%00",
]


async def answers(client: httpx.AsyncClient, path: str) -> dict[str, tuple[int, object]]:
    """What each form says to a path."""
    replies = {form: await client.get(prefix + path) for form, prefix in PREFIXES.items()}
    return {form: (reply.status_code, reply.json()) for form, reply in replies.items()}


async def orphan(client: httpx.AsyncClient) -> int:
    """A published post without an author."""
    for offset in itertools.count(0, 100):
        page = (await client.get(f"/posts?limit=100&offset={offset}")).json()["posts"]
        for post in page:
            if post["author_id"] is None:
                return int(post["id"])
    raise AssertionError("unreachable")


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
async def test_forms_agree(client: httpx.AsyncClient, path: str) -> None:
    """All forms give the same status and the same JSON, also where rows are odd or missing."""
    if "{orphan}" in path:
        path = path.format(orphan=await orphan(client))
    found = await answers(client, path)
    assert all(each == found["naive"] for each in found.values())


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


@pytest.mark.parametrize("path", REFUSED)
async def test_forms_refuse_alike(client: httpx.AsyncClient, path: str) -> None:
    """A parameter out of bounds is 422 in every form and reaches no database."""
    with count_queries() as queries:
        found = await answers(client, path)
    assert {status for status, _ in found.values()} == {422}
    assert queries.count == 0


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


@pytest.mark.parametrize("form", PREFIXES)
async def test_a_form_alone_is_at_the_root(database_url: str, form: str) -> None:
    """`create_app(form=...)` serves that form without a prefix, and no other."""
    app = create_app(form, database_url=database_url)
    paths = {getattr(route, "path", "") for route in app.routes} | set(app.openapi()["paths"])
    assert "/posts/{post_id}" in paths
    assert not any(
        path.startswith(prefix + "/posts") for prefix in PREFIXES.values() if prefix for path in paths
    )


def test_a_form_or_database_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong form and a missing address are errors that say what to write instead."""
    monkeypatch.delenv("PITSTOP_DATABASE_URL", raising=False)
    with pytest.raises(SettingsError, match="no form 'quick' of the blog: use naive, naive-async"):
        create_app("quick")
    with pytest.raises(SettingsError, match="set PITSTOP_DATABASE_URL"):
        create_app("tuned")


def test_the_address_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an argument the application takes the address from `PITSTOP_DATABASE_URL`."""
    monkeypatch.setenv("PITSTOP_DATABASE_URL", "postgres://somebody@example.invalid/blog")
    app: FastAPI = create_app("tuned")
    assert app.state.async_engine.url.host == "example.invalid"
