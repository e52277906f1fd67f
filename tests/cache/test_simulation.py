"""The protocol of the cache, searched for a stale read; and each of its rules, left out, found missing."""

from dataclasses import fields, replace

import pytest

from tests.cache.simulation.rules import Rules
from tests.cache.simulation.search import search
from tests.cache.simulation.setups import PLANTED, SETUPS, SHORT
from tests.cache.simulation.world import Setup

LONG = [name for name in SETUPS if name not in SHORT]
MOST = 1_000_000


@pytest.mark.parametrize("name", SHORT)
def test_no_interleaving_is_stale(name: str) -> None:
    """No order of the steps of a small setup lets a read be older than an acknowledged commit."""
    found = search(SETUPS[name])
    print(name, found)
    assert not found.violation, str(found)
    assert found.complete


@pytest.mark.parametrize("rule", PLANTED)
def test_planted_bug_is_found(rule: str) -> None:
    """Without the rule there is an order of steps that serves a stale value."""
    setup = SETUPS[PLANTED[rule]]
    found = search(replace(setup, rules=replace(setup.rules, **{rule: False})))
    print(rule, "in:", setup.name, found)
    assert found.violation


def test_every_rule_is_needed() -> None:
    """Each rule of the model is left out once."""
    assert set(PLANTED) == {rule.name for rule in fields(Rules)}


def test_trace_is_shortest_and_readable() -> None:
    """Without a fence three steps are enough, and they are told in words."""
    setup = SETUPS["one writer, a reader elsewhere"]
    found = search(replace(setup, rules=Rules(fence=False)))
    assert found.trace == ("W0 writes", "W0 is committed: version 1", "W0 is acknowledged")
    assert "stale" not in found.violation
    assert "P0 can serve version 0 from Redis, 1 was acknowledged" in str(found)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", LONG)
def test_no_interleaving_is_stale_long(name: str) -> None:
    """The larger setups, one fault each, complete or up to 1,000,000 states breadth first."""
    prove(SETUPS[name])


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("fault", ["kill", "freeze", "cut", "evict", "restart", "failover"])
def test_no_interleaving_is_stale_two_ticks(fault: str) -> None:
    """A lease of two ticks and a fence of six, with one fault of a kind and one cut connection."""
    setup = Setup(
        f"two ticks, {fault}",
        ((0, "commit"),),
        ((1, "known"),),
        faults=frozenset({fault, "cut"}),
        budget=2,
        lease=2,
        fence=6,
    )
    prove(setup)


def prove(setup: Setup) -> None:
    """Search, say how far (``-rP`` shows it), and fail with the trace."""
    found = search(setup, most=MOST)
    print(f"{setup.name}: {found}, {'complete' if found.complete else 'bounded'}")
    assert not found.violation, str(found)
