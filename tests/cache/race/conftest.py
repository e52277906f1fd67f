"""The ground of the races."""

from pathlib import Path

import pytest

from tests.cache.race.bars import Ground
from tests.cache.server import OwnRedis


@pytest.fixture
def ground(tmp_path: Path, database_url: str, own_redis: OwnRedis) -> Ground:
    """A database and a Redis of this test's own."""
    return Ground(tmp_path, database_url, own_redis)
