"""Posts are written and changed alike by every form."""

import httpx
import pytest

from pitstop import count_queries
from pitstop_services.blog.api import ROUTERS

PREFIXES = {form: prefix for form, (prefix, _) in ROUTERS.items()}
FORMS = pytest.mark.parametrize("prefix", PREFIXES.values(), ids=PREFIXES)

DRAFT = {"title": "Żur, 맥주 & 🍺", "body": "ß" * 300, "tags": ["żur", "a b"], "author_id": 2}
OWN = {"id", "created_at", "updated_at"}  # what differs from one write to the next


def told(reply: httpx.Response) -> dict[str, object]:
    """An answer without what differs from one write to the next."""
    return {key: value for key, value in reply.json().items() if key not in OWN}


@FORMS
async def test_a_new_post_is_the_newest(client: httpx.AsyncClient, prefix: str) -> None:
    """A post that was written is on top of every form's list at once, and counted."""
    reply = await client.post(f"{prefix}/posts", json=DRAFT)
    assert reply.status_code == 201
    for other in PREFIXES.values():
        page = (await client.get(f"{other}/posts?limit=1")).json()
        assert page["total"] == 3307
        assert page["posts"][0]["id"] == reply.json()["id"]
        assert page["posts"][0]["preview"] == "ß" * 200
        assert (await client.get(f"{other}/posts/{reply.json()['id']}")).json() == reply.json()


async def test_forms_write_alike(client: httpx.AsyncClient) -> None:
    """Creating and changing a post gives the same answer from every form, times and id aside."""
    created = [await client.post(f"{prefix}/posts", json=DRAFT) for prefix in PREFIXES.values()]
    change = {"title": "New", "body": "", "tags": []}
    changed = [
        await client.put(f"{prefix}/posts/{reply.json()['id']}", json=change)
        for prefix, reply in zip(PREFIXES.values(), created, strict=True)
    ]
    assert all(told(reply) == told(created[0]) for reply in created)
    assert all(told(reply) == told(changed[0]) for reply in changed)
    assert told(changed[0]) == {**told(created[0]), **change}
    assert all(reply.json()["updated_at"] is not None for reply in changed)


@FORMS
async def test_a_change_keeps_what_hangs_on_the_post(client: httpx.AsyncClient, prefix: str) -> None:
    """A changed post keeps its author, comments, score and place in time."""
    before = (await client.get("/posts/646")).json()
    reply = await client.put(f"{prefix}/posts/646", json={"title": "T", "body": "B", "tags": ["c"]})
    assert reply.status_code == 200
    after = reply.json()
    assert after == {**before, "title": "T", "body": "B", "tags": ["c"], "updated_at": after["updated_at"]}


@FORMS
async def test_writes_that_cannot_be_are_refused(client: httpx.AsyncClient, prefix: str) -> None:
    """A missing or inactive author and impossible text are 422, a missing or hidden post is 404."""
    for wrong in (
        {"author_id": 424242},
        {"author_id": 18},  # reputation 1: not active
        {"author_id": 2**63},
        {"title": ""},
        {"title": "t" * 201},
        {"body": "nul \x00"},
        {"tags": ["t"] * 6},
    ):
        reply = await client.post(f"{prefix}/posts", json={**DRAFT, **wrong})
        assert reply.status_code == 422, wrong
    for missing in (424242, 94):
        reply = await client.put(f"{prefix}/posts/{missing}", json=DRAFT)
        assert (reply.status_code, reply.json()) == (404, {"detail": f"no post {missing}"})
    assert (await client.get("/posts?limit=1")).json()["total"] == 3306


@pytest.mark.parametrize("prefix", ["", "/sync"])
async def test_tuned_writes_take_three_statements(client: httpx.AsyncClient, prefix: str) -> None:
    """A tuned write takes three statements: itself, and the two that read the post back."""
    with count_queries() as queries:
        await client.post(f"{prefix}/posts", json=DRAFT)
    assert queries.count == 3
    with count_queries() as queries:
        await client.put(f"{prefix}/posts/646", json=DRAFT)
    assert queries.count == 3
