"""Representations of a response: ETags, encodings, HEAD, and what CDNs are told."""

import pytest

from pitstop.cache import Cache
from tests.cache.responses.site import LONG, Serve, Site


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
