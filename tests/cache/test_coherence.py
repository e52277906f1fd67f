"""The thread that holds the lease."""

import asyncio
import uuid

import pytest

from pitstop.cache import Cache
from tests.cache.server import OwnRedis


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
