"""What caches counted: it reaches the record, adds up over processes, and a low hit rate is a finding."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from pitstop import Cache
from pitstop.advisor.caches import CacheCounts
from pitstop.advisor.evidence import Evidence, diagnose, gather
from pitstop.advisor.finding import Finding
from pitstop.advisor.recorder import Recorder, start_recorder
from pitstop.advisor.thresholds import Thresholds
from pitstop.store import CacheTotals, Observations, Store, read_store


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    """A recorder of this process."""
    recorder = start_recorder(Store(tmp_path / "record"))
    yield recorder
    recorder.close()


def judge(**counts: int) -> list[Finding]:
    observations = Observations(caches={"orders": CacheTotals("orders", **counts)})
    return diagnose(Evidence(observations, None, Thresholds()))


async def call_twice(cache: Cache, namespace: str) -> None:
    @cache.cached(namespace=namespace)
    async def double(number: int) -> int:
        return 2 * number

    assert [await double(2), await double(2)] == [4, 4]


async def test_calls_are_recorded(recorder: Recorder) -> None:
    """A miss and a hit are in the record, and are written once."""
    namespace = uuid4().hex
    async with Cache() as cache:
        await call_twice(cache, namespace)
        recorder.flush()
        recorder.flush()
    assert read_store(recorder.store.directory).caches[namespace] == CacheTotals(namespace, 1, 1, 0)


async def test_only_what_grew_counts() -> None:
    """What was counted before is not counted again, and a cache that has gone takes nothing away."""
    namespace = uuid4().hex
    async with Cache() as cache:
        await call_twice(cache, namespace)
        counts = CacheCounts()
        assert namespace not in {each.namespace for each in counts.grown()}
        await call_twice(cache, namespace)
        (grown,) = (each for each in counts.grown() if each.namespace == namespace)
        assert grown.hits + grown.misses == 2


def test_records_of_processes_add_up(tmp_path: Path) -> None:
    """Two processes that counted in one namespace are one row."""
    for _ in range(2):
        store = Store(tmp_path)
        store.merge(Observations(caches={"orders": CacheTotals("orders", 3, 2, 1)}))
        store.close()
    assert gather(tmp_path).observations.caches == {"orders": CacheTotals("orders", 6, 4, 2)}


@pytest.mark.parametrize(("hits", "misses", "found"), [(799, 201, 1), (800, 200, 0), (0, 999, 0)])
def test_a_low_hit_rate_is_a_finding(hits: int, misses: int, found: int) -> None:
    """Below 80% of a thousand calls it is one; of fewer calls, most are the first of their keys."""
    assert [each.rule for each in judge(hits=hits, misses=misses)] == ["cold-cache"] * found


def test_the_cure_knows_what_is_not_kept() -> None:
    """Where loads are not kept, narrower keys would not help, and the finding says what to look at."""
    (kept,), (refused,) = judge(misses=2000, refused=10), judge(misses=2000, refused=1500)
    assert "ignore=" in kept.cure
    assert "unfilled" in refused.cure
    assert refused.details["hit_rate"] == 0.0
