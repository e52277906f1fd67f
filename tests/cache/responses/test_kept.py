"""Whole responses: which are kept, under which key, and for whom."""

import asyncio
from typing import Any

import pytest
from starlette.middleware.cors import CORSMiddleware

from pitstop.cache import Cache
from pitstop.errors import SettingsError
from tests.cache.responses.site import LONG, Serve, Site


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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tags": "posts"}, r"tags is 'posts'; write a list: tags=\['posts'\]"),
        ({"encodings": ["br"]}, "encoding 'br' is none of zstd, gzip"),
        ({"tags": ["post:{id"]}, "tag 'post:{id' cannot be read"),
        ({"paths": ["posts"]}, "write '/posts'"),
        ({"s_maxage": -1}, "s_maxage=-1 is no number from 0"),
    ],
)
def test_wrong_options(options: dict[str, Any], message: str) -> None:
    """A wrong option is an error where it is written, and says what to write."""
    with pytest.raises(SettingsError, match=message):
        Cache().responses(**options)
