"""Whole responses: what is kept, what is told, and that none is served after a change."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from fastapi import BackgroundTasks, FastAPI, Request, Response
from fastapi.responses import PlainTextResponse, StreamingResponse
from sqlalchemy import String, select, update
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from starlette.middleware.cors import CORSMiddleware

from pitstop.cache import Cache
from pitstop.cache.effects import Wait
from pitstop.errors import SettingsError
from tests.cache.conftest import OpenCache

Serve = Callable[..., Awaitable[httpx.AsyncClient]]
LONG = "words and words " * 200


class Site:
    """An application that counts how often it is asked."""

    def __init__(self) -> None:
        self.app = FastAPI()
        self.asked: list[str] = []
        self.text = LONG
        self.headers: dict[str, str] = {}
        self.status = 200
        self.app.add_api_route("/text", self.tell)
        self.app.add_api_route("/posts/{post_id}", self.tell_post)
        self.app.add_api_route("/typed/{post_id}", self.tell_number)

    async def tell(self, request: Request) -> Response:
        self.asked.append(str(request.url))
        return PlainTextResponse(self.text, self.status, headers=self.headers)

    async def tell_post(self, post_id: str) -> Response:
        self.asked.append(post_id)
        return PlainTextResponse(f"{post_id}: {self.text}")

    async def tell_number(self, post_id: int) -> Response:
        self.asked.append(str(post_id))
        return PlainTextResponse(f"{post_id}: {self.text}")


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Makes a client of an application."""
    async with AsyncExitStack() as stack:

        async def made(app: Any) -> httpx.AsyncClient:
            transport = httpx.ASGITransport(app, raise_app_exceptions=True)
            client = httpx.AsyncClient(transport=transport, base_url="http://site")
            client.headers.pop("accept-encoding", None)
            client.headers["accept-encoding"] = "identity"
            return await stack.enter_async_context(client)

        yield made


@pytest.fixture
async def cache() -> AsyncIterator[Cache]:
    async with Cache(redis=None) as cache:
        yield cache


@pytest.fixture
async def workers(redis_url: str) -> AsyncIterator[list[Cache]]:
    """Two caches on one Redis, as two workers have them."""
    async with Cache(redis=redis_url) as one, Cache(redis=redis_url) as other:
        yield [one, other]


async def test_a_response_is_kept_and_sent_again(cache: Cache, site: Site, serve: Serve) -> None:
    """The application is asked once; headers and body of the second answer are those of the first."""
    site.headers = {"x-own": "kept"}
    client = await serve(cache.responses(ttl=60)(site.app))
    first, second = await client.get("/text"), await client.get("/text")
    assert len(site.asked) == 1
    assert first.text == second.text == LONG
    assert first.headers == second.headers
    assert second.headers["x-own"] == "kept"
    assert second.headers["content-length"] == str(len(LONG))
    counts = cache.stats().namespaces["responses"]
    assert (counts.memory_hits, counts.misses, counts.loads) == (1, 1, 1)


async def test_both_ways_to_install_it(cache: Cache, site: Site, serve: Serve) -> None:
    """As middleware of the application it does what it does around it."""
    site.app.add_middleware(cache.responses(ttl=60))
    client = await serve(site.app)
    await client.get("/text")
    assert (await client.get("/text")).text == LONG
    assert len(site.asked) == 1


async def test_the_key(cache: Cache, site: Site, serve: Serve) -> None:
    """Path, parameters, host and what vary names tell responses apart; the order of parameters does not."""
    client = await serve(cache.responses(ttl=60, vary=["Accept-Language"])(site.app))
    for path in ("/text", "/text?a=1", "/text?a=1&b=2", "/text?b=2&a=1", "/text?a=%31&b=2", "/text?a="):
        await client.get(path)
    assert len(site.asked) == 4
    reply = await client.get("/text", headers={"accept-language": "ko"})
    assert reply.headers["vary"] == "accept-language, accept-encoding"
    await client.get("/text", headers={"accept-language": "ko"})
    await client.get("/text", headers={"host": "elsewhere"})
    assert len(site.asked) == 6


async def test_values_of_one_name_keep_their_order(cache: Cache, site: Site, serve: Serve) -> None:
    """``a=1&a=2`` is another query than ``a=2&a=1``, and bytes that are no UTF-8 are told apart."""
    client = await serve(cache.responses(ttl=60)(site.app))
    for path in ("/text?a=1&a=2", "/text?a=2&a=1", "/text?a=%ff", "/text?a=%fe"):
        await client.get(path)
    assert len(site.asked) == 4


async def test_parameters_that_do_not_count(cache: Cache, site: Site, serve: Serve) -> None:
    """With query= the others neither make a response of their own nor reach the application."""
    client = await serve(cache.responses(ttl=60, query=["page"])(site.app))
    await client.get("/text?utm=x&page=2")
    await client.get("/text?page=2&utm=y")
    assert site.asked == ["http://site/text?page=2"]


async def test_only_the_named_paths(cache: Cache, site: Site, serve: Serve) -> None:
    """With paths= all others go to the application each time."""
    client = await serve(cache.responses(ttl=60, paths=["/posts/{id}"])(site.app))
    for _ in range(2):
        await client.get("/posts/1")
        await client.get("/text")
    assert site.asked == ["1", "http://site/text", "http://site/text"]


@pytest.mark.parametrize(
    "headers",
    [
        {"set-cookie": "a=b"},
        {"cache-control": "no-store"},
        {"cache-control": "Private, max-age=5"},
        {"vary": "X-Tenant"},
        {"vary": "*"},
        {"content-type": "text/event-stream"},
    ],
    ids=str,
)
async def test_what_the_application_forbids(
    cache: Cache, site: Site, serve: Serve, headers: dict[str, str]
) -> None:
    """Cookies, no-store, private, unknown Vary and event streams are never kept, and reach the client."""
    site.headers = headers
    client = await serve(cache.responses(ttl=60)(site.app))
    for number in range(1, 4):
        reply = await client.get("/text")
        assert reply.text == LONG
        assert headers.items() <= dict(reply.headers).items()
        assert len(site.asked) == number


@pytest.mark.parametrize("status", [201, 206, 302, 404, 500])
async def test_only_success_is_kept(cache: Cache, site: Site, serve: Serve, status: int) -> None:
    """Any other status than 200 is sent on, each time from the application."""
    site.status = status
    client = await serve(cache.responses(ttl=60)(site.app))
    assert [(await client.get("/text")).status_code for _ in range(2)] == [status, status]
    assert len(site.asked) == 2


@pytest.mark.parametrize("name", ["authorization", "cookie", "range", "x-api-key"])
async def test_requests_of_somebody_are_passed_on(cache: Cache, site: Site, serve: Serve, name: str) -> None:
    """A request that says who asks neither gets a kept response nor leaves one."""
    client = await serve(cache.responses(ttl=60)(site.app))
    await client.get("/text", headers={name: "mine"})
    await client.get("/text")
    await client.get("/text", headers={name: "mine"})
    await client.get("/text")
    assert len(site.asked) == 3


async def test_what_belongs_to_one_user(cache: Cache, site: Site, serve: Serve) -> None:
    """With Authorization in vary each value has its own response, and no CDN is told to keep it."""
    client = await serve(cache.responses(ttl=60, vary=["Authorization"])(site.app))
    for who in ("a", "b", "a"):
        reply = await client.get("/text", headers={"authorization": who})
        assert reply.headers["cache-control"].startswith("private")
        assert "authorization" in reply.headers["vary"]
    assert len(site.asked) == 2
    with pytest.raises(SettingsError, match="belong to one user"):
        cache.responses(vary=["Cookie"], s_maxage=60)


async def test_an_etag_is_answered_only_while_it_holds(cache: Cache, site: Site, serve: Serve) -> None:
    """304 for the current representation alone; after an invalidation the new one is sent in full."""
    client = await serve(cache.responses(ttl=60, tags=["texts"])(site.app))
    etag = (await client.get("/text")).headers["etag"]
    for asked in (etag, f'"other", {etag}', f"W/{etag}", "*"):
        reply = await client.get("/text", headers={"if-none-match": asked})
        assert (reply.status_code, reply.content) == (304, b"")
        assert reply.headers["etag"] == etag
        assert "content-length" not in reply.headers
    assert (await client.get("/text", headers={"if-none-match": '"other"'})).status_code == 200
    site.text = "new"
    await cache.invalidate("texts")
    reply = await client.get("/text", headers={"if-none-match": etag})
    assert (reply.status_code, reply.text) == (200, "new")


async def test_each_encoding_is_a_representation(cache: Cache, site: Site, serve: Serve) -> None:
    """Encodings have tags of their own: that of one is no 304 for another."""
    client = await serve(cache.responses(ttl=60)(site.app))
    tags = {}
    for encoding in ("identity", "gzip", "zstd"):
        reply = await client.get("/text", headers={"accept-encoding": encoding})
        assert reply.text == LONG
        assert reply.headers.get("content-encoding", "identity") == encoding
        assert reply.headers["vary"] == "accept-encoding"
        tags[encoding] = reply.headers["etag"]
    assert len(set(tags.values())) == 3
    for encoding, other in (("gzip", "identity"), ("identity", "gzip"), ("gzip", "gzip")):
        reply = await client.get("/text", headers={"accept-encoding": encoding, "if-none-match": tags[other]})
        assert reply.status_code == (304 if encoding == other else 200)
    assert len(site.asked) == 1


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip, deflate", "gzip"),
        ("gzip;q=1, zstd;q=0.5", "gzip"),
        ("gzip;q=0, *;q=0", None),
        ("*", "zstd"),
        ("identity, gzip;q=0.5", None),
        ("br", None),
        ("gzip;q=x", None),
    ],
)
async def test_the_encoding_is_what_the_client_prefers(
    cache: Cache, site: Site, serve: Serve, accepted: str, encoding: str | None
) -> None:
    """Weights count, an unknown encoding is none, and between equals the better one is taken."""
    client = await serve(cache.responses(ttl=60)(site.app))
    for _ in range(2):
        reply = await client.get("/text", headers={"accept-encoding": accepted})
        assert reply.headers.get("content-encoding") == encoding
        assert reply.text == LONG


async def test_what_is_short_or_packed_is_sent_as_it_is(cache: Cache, site: Site, serve: Serve) -> None:
    """Bodies below 500 bytes, pictures and what the application has compressed are not compressed."""
    client = await serve(cache.responses(ttl=60)(site.app))
    gzipped = {"accept-encoding": "gzip"}
    site.text = "short"
    assert "content-encoding" not in (await client.get("/text?1", headers=gzipped)).headers
    site.text, site.headers = LONG, {"content-type": "image/png"}
    assert "content-encoding" not in (await client.get("/text?2", headers=gzipped)).headers


async def test_an_etag_of_the_application_stays(cache: Cache, site: Site, serve: Serve) -> None:
    """It is for the plain body what it was, weak for a compressed one, and answered with 304."""
    site.headers = {"etag": '"v7"', "cache-control": "max-age=9"}
    client = await serve(cache.responses(ttl=60)(site.app))
    reply = await client.get("/text")
    assert (reply.headers["etag"], reply.headers["cache-control"]) == ('"v7"', "max-age=9")
    packed = {"accept-encoding": "gzip"}
    assert (await client.get("/text", headers=packed)).headers["etag"] == 'W/"v7"'
    reply = await client.get("/text", headers=packed | {"if-none-match": 'W/"v7"'})
    assert reply.status_code == 304


async def test_head(cache: Cache, site: Site, serve: Serve) -> None:
    """HEAD is GET without the body: before and after it, also where the route knows only GET."""
    client = await serve(cache.responses(ttl=60)(site.app))
    first, got, second = await client.head("/text"), await client.get("/text"), await client.head("/text")
    assert len(site.asked) == 1
    assert first.content == second.content == b""
    assert first.headers == got.headers == second.headers
    assert (await client.head("/text", headers={"if-none-match": got.headers["etag"]})).status_code == 304


async def test_what_cdns_are_told(cache: Cache, site: Site, serve: Serve) -> None:
    """By default a browser asks each time and no CDN keeps it; the options say otherwise."""
    for options, told in (
        ({}, "private, max-age=0, must-revalidate"),
        ({"public": True}, "public, max-age=0, must-revalidate"),
        ({"s_maxage": 60}, "public, max-age=0, s-maxage=60, must-revalidate"),
        (
            {"s_maxage": 60, "stale_while_revalidate": 30, "max_age": 5},
            "public, max-age=5, s-maxage=60, stale-while-revalidate=30",
        ),
    ):
        client = await serve(cache.responses(ttl=60, **options)(site.app))  # type: ignore[arg-type]
        assert (await client.get("/text")).headers["cache-control"] == told


async def test_workers_agree(workers: list[Cache], site: Site, serve: Serve) -> None:
    """Another worker sends what the first one made, byte for byte; made apart, the ETags are equal too."""
    clients = [await serve(each.responses(ttl=60)(site.app)) for each in workers]
    replies = [await each.get("/text", headers={"accept-encoding": "gzip"}) for each in clients]
    assert len(site.asked) == 1
    assert replies[0].headers == replies[1].headers
    assert replies[0].content == replies[1].content
    async with Cache(redis=None) as alone:
        apart = await serve(alone.responses(ttl=60)(site.app))
        reply = await apart.get("/text", headers={"accept-encoding": "gzip"})
        assert reply.headers == replies[0].headers


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


async def test_callers_share_one_load(cache: Cache, serve: Serve) -> None:
    """Fifty clients of a cold response: one run of the application."""
    app, asked = FastAPI(), []

    @app.get("/slow")
    async def slow() -> str:
        asked.append(1)
        await asyncio.sleep(0.05)
        return "done"

    client = await serve(cache.responses(ttl=60)(app))
    replies = await asyncio.gather(*[client.get("/slow") for _ in range(50)])
    assert {each.json() for each in replies} == {"done"}
    assert len(asked) == 1


async def test_what_cannot_be_kept_does_not_queue(cache: Cache, serve: Serve) -> None:
    """Clients that waited for what turned out to be somebody's own each get their own, side by side."""
    app, most, now = FastAPI(), [0], [0]

    @app.get("/own")
    async def own(response: Response) -> int:
        now[0] += 1
        most[0] = max(most[0], now[0])
        await asyncio.sleep(0.05)
        now[0] -= 1
        response.set_cookie("session", "x")
        return 1

    client = await serve(cache.responses(ttl=60)(app))
    replies = await asyncio.gather(*[client.get("/own") for _ in range(20)])
    assert all("set-cookie" in each.headers for each in replies)
    assert most[0] == 19


async def test_large_bodies_are_streamed_and_compressed(cache: Cache, serve: Serve) -> None:
    """A body above the bound is sent as it comes, compressed piece by piece, and not kept."""
    app, asked = FastAPI(), []
    pieces = [bytes([65 + n]) * 70_000 for n in range(20)]

    @app.get("/big")
    async def big() -> Response:
        asked.append(1)

        async def parts() -> AsyncIterator[bytes]:
            for each in pieces:
                yield each

        return StreamingResponse(parts(), media_type="text/plain")

    client = await serve(cache.responses(ttl=60)(app))
    for encoding in ("gzip", "zstd", "identity"):
        reply = await client.get("/big", headers={"accept-encoding": encoding})
        assert reply.headers.get("content-encoding", "identity") == encoding
        assert "content-length" not in reply.headers
        assert reply.content == b"".join(pieces)
    assert len(asked) == 3


async def test_a_stream_does_not_wait_for_its_end(cache: Cache) -> None:
    """The pieces of a slow stream reach the client while it goes on; so does what it says of its leaving."""
    goes_on, gone = asyncio.Event(), asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}
        )
        await send({"type": "http.response.body", "body": b"first ", "more_body": True})
        await goes_on.wait()
        await send({"type": "http.response.body", "body": b"second" * 200, "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        gone.set()

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "query_string": b"",
        "scheme": "http",
        "headers": [(b"accept-encoding", b"gzip")],
    }
    sent: asyncio.Queue[Any] = asyncio.Queue()
    left = asyncio.Event()

    async def receive() -> Any:
        await left.wait()
        return {"type": "http.disconnect"}

    serving = asyncio.create_task(cache.responses(ttl=60)(app)(scope, receive, sent.put))
    assert (await sent.get())["status"] == 200
    unpacked = zlib.decompressobj(31)
    assert unpacked.decompress((await sent.get())["body"]) == b"first "
    goes_on.set()
    assert unpacked.decompress((await sent.get())["body"]) == b"second" * 200
    left.set()
    await serving
    assert gone.is_set()


async def test_events_begin_at_once(cache: Cache) -> None:
    """The headers of an event stream reach the client before there is an event."""
    ends = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await ends.wait()
        await send({"type": "http.response.body", "body": b""})

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"accept-encoding", b"gzip")]}
    sent: asyncio.Queue[Any] = asyncio.Queue()
    serving = asyncio.create_task(cache.responses(ttl=60)(app)(scope, ends.wait, sent.put))  # type: ignore[arg-type]
    assert (await sent.get())["headers"] == [(b"content-type", b"text/event-stream")]
    ends.set()
    await serving


async def test_an_error_of_the_application_is_everybodys(cache: Cache, serve: Serve) -> None:
    """What the application raises reaches the server, and the next request tries again."""
    app, asked = FastAPI(), []

    @app.get("/fails")
    async def fails() -> str:
        asked.append(1)
        raise LookupError("nothing there")

    client = await serve(cache.responses(ttl=60)(app))
    for _ in range(2):
        with pytest.raises(LookupError, match="nothing there"):
            await client.get("/fails")
    assert len(asked) == 2


async def test_background_tasks_do_not_delay(cache: Cache, serve: Serve) -> None:
    """The client has its response while the work behind it goes on."""
    app, go, done = FastAPI(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        await go.wait()
        done.set()

    @app.get("/working")
    async def working(tasks: BackgroundTasks) -> str:
        tasks.add_task(work)
        return "soon"

    client = await serve(cache.responses(ttl=60)(app))
    assert (await client.get("/working")).json() == "soon"
    assert not done.is_set()
    go.set()
    await done.wait()


async def test_middleware_outside_cannot_spoil_it(cache: Cache, site: Site, serve: Serve) -> None:
    """What another middleware adds to one answer is not in the next."""
    inner = cache.responses(ttl=60)(site.app)
    client = await serve(CORSMiddleware(inner, allow_origins=["http://a", "http://b"]))
    for origin in ("http://a", "http://b", "http://a"):
        reply = await client.get("/text", headers={"origin": origin})
        assert reply.headers.get_list("access-control-allow-origin") == [origin]
    assert len(site.asked) == 1


async def test_stale_for(cache: Cache, site: Site, serve: Serve) -> None:
    """Past its time a response is sent once more while a new one is made."""
    client = await serve(cache.responses(ttl=0.01, stale_for=60)(site.app))
    await client.get("/text")
    await asyncio.sleep(0.05)
    site.text = "new"
    assert (await client.get("/text")).text == LONG
    await asyncio.sleep(0.05)
    assert (await client.get("/text")).text == "new"


async def test_a_cache_that_is_off(site: Site, serve: Serve) -> None:
    """Everything is asked of the application; compressed it is all the same."""
    client = await serve(Cache(enabled=False).responses(ttl=60)(site.app))
    for number in (1, 2):
        reply = await client.get("/text", headers={"accept-encoding": "gzip"})
        assert (reply.headers["content-encoding"], len(site.asked)) == ("gzip", number)


async def test_posts_are_compressed_and_not_kept(cache: Cache, serve: Serve) -> None:
    """Other methods pass, compressed, with their Vary."""
    app = FastAPI()

    @app.post("/post")
    async def post(request: Request) -> str:
        return (await request.body()).decode() * 500

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(cache.responses(ttl=60)(app)), base_url="http://site"
    ) as client:
        for each in ("a", "b"):
            async with client.stream(
                "POST", "/post", content=each, headers={"accept-encoding": "gzip"}
            ) as reply:
                raw = b"".join([part async for part in reply.aiter_raw()])
            assert gzip.decompress(raw).decode() == f'"{each * 500}"'
            assert reply.headers["vary"] == "accept-encoding"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tags": "posts"}, r"tags is 'posts'; write a list: tags=\['posts'\]"),
        ({"encodings": ["br"]}, "encoding 'br' is none of zstd, gzip"),
        ({"tags": ["post:{id"]}, "tag 'post:{id' cannot be read"),
    ],
)
def test_wrong_options(options: dict[str, Any], message: str) -> None:
    """A wrong option is an error where it is written, and says what to write."""
    with pytest.raises(SettingsError, match=message):
        Cache().responses(**options)


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
