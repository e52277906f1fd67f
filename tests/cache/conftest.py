"""Fixtures of the cache's tests: servers of their own, and a Cluster."""

import re
import shutil
import subprocess
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pitstop.cache import Cache
from tests.cache.cluster import OwnCluster
from tests.cache.server import OwnRedis
from tests.cache.shop import fill

OpenCache = Callable[..., Cache]


class PatientCache(Cache):
    """A cache whose start a busy machine may hold up."""

    async def start(self, *, seconds: float = 30.0) -> None:
        await super().start(seconds=seconds)


@pytest.fixture
async def open_cache() -> AsyncIterator[OpenCache]:
    """Opens caches that end with the test and, unless told otherwise, share a namespace of the test's own."""
    opened: list[Cache] = []
    namespace = f"test-{uuid.uuid4().hex[:12]}"

    def open_one(**options: Any) -> Cache:
        opened.append(PatientCache(**{"namespace": namespace, "soft_timeout": 10.0, **options}))
        return opened[-1]

    yield open_one
    for each in opened:
        await each.close()


@pytest.fixture(params=["memory", "redis"])
async def cache(request: pytest.FixtureRequest, open_cache: OpenCache) -> Cache:
    """A cache in memory alone, and one with Redis."""
    if request.param == "memory":
        return open_cache()
    cache = open_cache(redis=request.getfixturevalue("redis_url"))
    await cache.start()
    return cache


@pytest.fixture
def engine(sync_database_url: str) -> Iterator[sa.Engine]:
    """A database with the shop in it."""
    engine = sa.create_engine(sync_database_url)
    fill(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    """A server that this test may freeze, kill and restart."""
    server = OwnRedis(tmp_path / "redis")
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def own_redis7(tmp_path: Path) -> Iterator[OwnRedis]:
    """The same with the machine's redis-server, version 7 or later."""
    found = shutil.which("redis-server")
    if found is None:
        pytest.skip("no redis-server on the PATH: redis 7 is not tested here")
    banner = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    version = re.search(r"v=(\d+)", banner)
    if version is None or int(version[1]) < 7:
        pytest.skip(f"the redis-server on the PATH is older than 7: {banner.strip()}")
    server = OwnRedis(tmp_path / "redis7", program=Path(found))
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture(scope="session")
def redis_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnCluster]:
    """Three masters and three replicas, shared by the tests of one worker: leave it whole and empty."""
    cluster = OwnCluster(tmp_path_factory.mktemp("cluster"))
    try:
        yield cluster.start()
    finally:
        cluster.stop()


@pytest.fixture
def own_cluster(tmp_path: Path) -> Iterator[OwnCluster]:
    """A Cluster that this test may break."""
    cluster = OwnCluster(tmp_path / "cluster")
    try:
        yield cluster.start()
    finally:
        cluster.stop()
