"""The cache's promise under race: short forms in the suite, long ones marked slow."""

import pytest

from tests.cache.race import bars
from tests.cache.race.bars import TROUBLES, Figure, Ground


def missed(figures: list[Figure]) -> list[str]:
    """The figures that do not hold."""
    return [f"{each.name}: {each.value} (must be {each.bar})" for each in figures if not each.holds]


def test_strict(ground: Ground) -> None:
    """Four processes that write and read see no value older than an acknowledged commit."""
    assert not missed(bars.strict(ground, rounds=400, seconds=3.0))


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_strict_for_long(ground: Ground) -> None:
    """The same over 100,000 commits."""
    assert not missed(bars.strict(ground, rounds=100_000, seconds=1500.0))


def test_bounded(ground: Ground) -> None:
    """Without waiting, a process sees its own commits, and others are behind by the bound at most."""
    assert not missed(bars.bounded(ground, seconds=3.0))


def test_killed_writers(ground: Ground) -> None:
    """Writers killed on both sides of COMMIT leave nothing stale."""
    assert not missed(bars.killed(ground, writers=6))


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_many_killed_writers(ground: Ground) -> None:
    """The same a thousand times, and what they leave behind ends by itself."""
    assert not missed(bars.killed(ground, writers=1000, bypass=True))


@pytest.mark.parametrize("what", ["frozen", "hung shortly", "cut"])
def test_commits_in_trouble(ground: Ground, what: str) -> None:
    """Commits race while processes or Redis stand still, or connections are cut: nothing stale."""
    assert not missed(bars.troubled(ground, what, seconds=3.0, order="race"))


@pytest.mark.parametrize("what", ["frozen", "restarted", "half open"])
def test_values_by_hand_in_trouble(ground: Ground, what: str) -> None:
    """``set``, ``get`` and ``delete`` race in the same troubles: nobody gets what was before a ``set``."""
    assert not missed(bars.troubled(ground, what, seconds=3.0, order="store"))


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("order", ["race", "store"])
@pytest.mark.parametrize("what", TROUBLES)
def test_trouble_for_long(ground: Ground, what: str, order: str) -> None:
    """Each trouble for longer."""
    assert not missed(bars.troubled(ground, what, seconds=30.0, order=order))


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("what", ["hung", "hung shortly", "restarted"])
def test_outage_with_commits_that_go_on(ground: Ground, what: str) -> None:
    """Commits that go on while Redis is away leave nothing stale when it is back."""
    assert not missed(bars.troubled(ground, what, seconds=30.0, order="race", failure="outbox"))


def test_write_latency(ground: Ground) -> None:
    """A frozen process holds up one commit for about a lease, and no other."""
    assert not missed(bars.write_latency(ground, commits=20, slack=1.0))


@pytest.mark.slow
@pytest.mark.parametrize("failure", ["refuse", "outbox"])
def test_hang(ground: Ground, failure: str) -> None:
    """Redis that hangs slows few reads down, none for long, and leaves nothing stale."""
    assert not missed(bars.hang(ground, failure=failure))


def test_cold_key(ground: Ground) -> None:
    """200 callers in four processes make one load; a caller that goes away takes nobody with him."""
    assert not missed(bars.cold_key(ground))
