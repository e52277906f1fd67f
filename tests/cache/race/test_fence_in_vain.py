"""Fences of commits that were refused."""

from pathlib import Path

from tests.cache.race.party import Party
from tests.cache.race.test_return import read_until_kept
from tests.cache.server import OwnRedis


def test_a_refused_commit_leaves_no_fence(tmp_path: Path, database_url: str, own_redis: OwnRedis) -> None:
    """What a commit would have changed is kept soon after Redis is back, not when a fence has run out."""
    party = Party(
        tmp_path / "party",
        database_url=database_url,
        redis_urls=[own_redis.url],
        workers=2,
        on_fence_failure="refuse",
    )
    with party:
        writer, reader = party.workers
        writer.do("write", row=0)
        own_redis.freeze()
        refused = writer.do("write", row=0)
        own_redis.thaw()
        assert "FenceFailed" in refused["error"]
        read_until_kept(writer, 0)
        read_until_kept(reader, 0)
