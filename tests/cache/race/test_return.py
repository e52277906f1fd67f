"""What a commit or ``invalidate`` has promised when it returns, with Redis in trouble meanwhile."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pitstop.cache.clock import clock
from pitstop.cache.commands import Commands
from pitstop.cache.request import user_tag
from pitstop.servers.process import wait_until
from tests.cache.race.kills import mortal
from tests.cache.race.party import Party, Runner
from tests.cache.race.proxy import Proxy
from tests.cache.server import OwnRedis

SLOW = 0.3  # seconds that news take to the reader


@pytest.fixture
def slow_proxy(own_redis: OwnRedis) -> Iterator[Proxy]:
    with Proxy(own_redis.port) as proxy:
        yield proxy


def read_until_kept(reader: Runner, row: int) -> None:
    """Read until the value comes from the cache."""
    until, loads = clock() + 20.0, -1
    while clock() < until:
        answer = reader.do("read", row=row)
        if answer["loads"] == loads:
            return
        loads = answer["loads"]
        time.sleep(0.02)
    raise AssertionError(f"row {row} was not kept within 20 s")


def never_kept(reader: Runner, row: int) -> bool:
    """Whether each of several reads loads the value anew."""
    loads = [reader.do("read", row=row)["loads"] for _ in range(20)]
    return loads == list(range(loads[0], loads[0] + 20))


def is_fenced(redis: OwnRedis, tag: str) -> bool:
    """Whether a writer's fence stands on a tag."""
    token = redis.command("GET", Commands("pitstop").token(user_tag(tag)).decode())
    return isinstance(token, bytes) and token.startswith(b"!")


@pytest.mark.parametrize("kind", ["refuse", "outbox"])
def test_redis_restarted_between_fence_and_commit(
    tmp_path: Path, database_url: str, own_redis: OwnRedis, slow_proxy: Proxy, kind: str
) -> None:
    """Under a commit whose fence the server lost nothing is kept, and nothing old is there after it."""
    urls = [own_redis.url, slow_proxy.url]
    party = Party(
        tmp_path / "party",
        database_url=database_url,
        redis_urls=urls,
        workers=2,
        on_fence_failure=kind,
        soft_timeout=2.0,
        lease=2.0,
    )
    with party:
        writer, reader = party.workers
        writer.do("write", row=0)  # waits out the first lease of the epoch
        assert writer.do("begin_commit", row=0)["reached"]
        own_redis.restart()
        assert never_kept(reader, 0)
        slow_proxy.delay = SLOW
        writer.do("end_commit")
        answer = reader.do("read", row=0)
        assert answer["got"] >= answer["expected"]
        read_until_kept(reader, 0)


def test_redis_back_between_the_last_attempt_and_commit(
    tmp_path: Path, database_url: str, own_redis: OwnRedis, slow_proxy: Proxy
) -> None:
    """Should Redis be back under a commit without a fence, others keep nothing before it has ended."""
    urls = [own_redis.url, slow_proxy.url]
    party = Party(
        tmp_path / "party", database_url=database_url, redis_urls=urls, workers=2, soft_timeout=2.0, lease=2.0
    )
    with party:
        writer, reader = party.workers
        reader.do("read", row=0)
        own_redis.freeze()
        assert writer.do("begin_commit", row=0)["reached"]
        own_redis.thaw()
        assert never_kept(reader, 0)
        slow_proxy.delay = SLOW
        writer.do("end_commit")
        answer = reader.do("read", row=0)
        assert answer["got"] >= answer["expected"]
        read_until_kept(reader, 0)


def test_invalidate_over_a_short_outage(
    tmp_path: Path, database_url: str, own_redis: OwnRedis, slow_proxy: Proxy
) -> None:
    """What is told only at the second attempt is heard by everybody when ``invalidate`` returns."""
    with Proxy(own_redis.port) as unsteady:
        party = Party(
            tmp_path / "party",
            database_url=database_url,
            redis_urls=[unsteady.url, slow_proxy.url],
            workers=2,
            soft_timeout=1.0,
            lease=2.0,
        )
        with party:
            writer, reader = party.workers
            writer.do("write", row=0)
            read_until_kept(reader, 0)
            unsteady.block()
            writer.send({"do": "change", "row": 0})
            time.sleep(1.2)
            slow_proxy.delay = SLOW
            unsteady.mend()
            answer = writer.answer()
            assert answer == {"version": 2}
            answer = reader.do("read", row=0)
            assert answer["got"] >= answer["expected"]


@pytest.mark.slow
@pytest.mark.parametrize("newcomer", [False, True])
def test_redis_restarted_under_a_writer_that_is_killed(
    tmp_path: Path, database_url: str, own_redis: OwnRedis, newcomer: bool
) -> None:
    """A fence that the server lost, of a writer killed after its COMMIT, leaves nothing stale, also with a
    process that began too late to have heard of it.
    """
    party = Party(tmp_path / "party", database_url=database_url, redis_urls=[own_redis.url], workers=1)
    with party:
        reader, dying = party.workers[0], mortal(party, 0)
        try:
            reader.do("read", row=0)
            if newcomer:
                reader = party.invite()
            dying.send({"row": 0, "version": 1, "at": "committed", "pause": 8.0})
            assert wait_until(lambda: is_fenced(own_redis, "counter:0"), seconds=20.0)
            own_redis.restart()
            if newcomer:
                reader.do("begin")
            reader.do("reads", row=0, number=50, pause=0.02)
            assert dying.answer()["signal"] == signal.SIGKILL
            party.board.acknowledge(0, 1, now=clock())
            answer = reader.do("read", row=0)
            assert answer["got"] >= answer["expected"]
            if newcomer:  # the other knows of the fence, until it has run out
                read_until_kept(reader, 0)
        finally:
            dying.end()


@pytest.mark.slow
def test_a_writer_frozen_for_longer_than_its_fence(
    tmp_path: Path, database_url: str, own_redis: OwnRedis
) -> None:
    """The database ends the transaction of a writer that is frozen between fence and COMMIT."""
    party = Party(tmp_path / "party", database_url=database_url, redis_urls=[own_redis.url], workers=2)
    with party:
        writer, reader = party.workers
        reader.do("read", row=0)
        assert writer.do("begin_commit", row=0)["reached"]
        writer.freeze()
        time.sleep(32.0)
        read_until_kept(reader, 0)
        writer.thaw()
        with pytest.raises(RuntimeError, match="idle"):
            writer.do("end_commit")
        answer = reader.do("read", row=0)
        assert answer["got"] == 0 == reader.do("stored", row=0)["version"]
