"""The thread that holds the lease."""

import asyncio
import uuid
from pathlib import Path

import pytest

from pitstop.cache import Cache
from tests.cache.conftest import OpenCache
from tests.cache.race.proxy import Proxy
from tests.cache.server import OwnRedis
from tests.cache.wait import until


async def test_who_no_longer_waits_harms_nobody(
    own_redis: OwnRedis, caplog: pytest.LogCaptureFixture
) -> None:
    """A barrier whose caller has gone, while Redis hangs and when it answers, leaves the lease alone."""
    async with Cache(own_redis.url, namespace=uuid.uuid4().hex) as cache:
        coherence = cache._coherence
        assert coherence is not None
        own_redis.freeze()
        barriers = [coherence.barrier() for _ in range(3)]
        await asyncio.sleep(0.1)
        for each in barriers:
            each.cancel()
        own_redis.thaw()
        await asyncio.sleep(0.5)
        await cache.start(seconds=30)
        own_redis.freeze()
        late = [coherence.barrier() for _ in range(3)]
        for each in late:
            each.cancel()
        own_redis.stop()
        await asyncio.sleep(0.3)
        own_redis.start()
        await cache.start(seconds=30)
        assert coherence.is_up
    assert not [each for each in caplog.records if each.levelname == "ERROR"]


async def test_replies_of_a_former_epoch_are_no_hit(redis_url: str, open_cache: OpenCache) -> None:
    """Nodes of a Cluster reply one by one: what one said before a new epoch is not joined to the rest."""
    cache = open_cache(redis=redis_url, local_items=0)
    await cache.start()

    @cache.cached(ttl=60, tags=["one"])
    async def one() -> int:
        return 1

    await one()
    coherence, flows, request = cache._coherence, one._parts.flows, one._request((), {})
    assert coherence is not None
    look = one._parts.loads.look(request)
    assert look is not None
    replies, former = await look, coherence.epoch
    assert flows.hit(request, replies, flows.changes.changes) is not None
    assert cache._client is not None
    await cache._client.run([(b"DEL", flows._commands.epoch)], seconds=10.0)
    await until(lambda: coherence.is_up and coherence.epoch != former, "a new epoch")
    assert flows.hit(request, replies, flows.changes.changes) is None


async def test_a_name_that_leads_to_another_server(
    own_redis: OwnRedis, tmp_path: Path, open_cache: OpenCache
) -> None:
    """Of a replica that took over, while the lease goes on at the server before it, no read asks anything."""
    heir = OwnRedis(tmp_path / "heir", settings=[f"replicaof 127.0.0.1 {own_redis.port}"])
    with Proxy(own_redis.port) as proxy:
        here, there = (open_cache(redis=url, local_items=0) for url in (own_redis.url, proxy.url))
        await here.start()
        await there.start()
        state = ["open"]

        @there.cached(ttl=600, tags=["order"])
        async def state_of() -> str:
            return state[0]

        try:
            heir.start()
            assert [await state_of(), await state_of()] == ["open", "open"]
            size = own_redis.command("DBSIZE")
            await until(lambda: heir.command("DBSIZE") == size, "a replica in step")
            heir.command("REPLICAOF", "NO", "ONE")
            proxy.behind = heir.port
            state[0] = "paid"
            await here.invalidate("order")
            assert await asyncio.to_thread(asyncio.run, state_of()) == "paid"
            await there.close()
        finally:
            heir.stop(kill=True)
