"""Breadth-first search over every interleaving up to a bound, with the shortest trace to a violation."""

import gc
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.cache.simulation.model import simplest, successors, violation
from tests.cache.simulation.world import Setup, World, start


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found.

    Attributes:
        states: different states that were reached.
        violation: what is wrong in the last of ``trace``; empty if nothing was found.
        trace: the steps from the beginning, the fewest that lead there.
        complete: no state was left out; false if the search ended at a violation or at ``most``.
        seconds: how long it took.
    """

    states: int
    violation: str
    trace: tuple[str, ...]
    complete: bool
    seconds: float

    def __str__(self) -> str:
        steps = [f"{number:3}. {step}" for number, step in enumerate(self.trace, 1)]
        head = f"{self.states:,} states, {self.seconds:.1f} s: {self.violation or 'no violation'}"
        return "\n".join([head, *steps])


@contextmanager
def without_collector() -> Iterator[None]:
    """Millions of tuples without a cycle: the garbage collector would look at them again and again."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@without_collector()
def search(setup: Setup, *, most: int = 2_000_000) -> Found:
    """Visit every state that the setup can reach.

    Args:
        setup: the actors, the faults and the rules.
        most: states after which the search gives up.
    """
    begun = time.perf_counter()
    first = start(setup)
    came: dict[World, tuple[World, str] | None] = {first: None}
    queue = deque([first])
    while queue and len(came) < most:
        world = queue.popleft()
        wrong = violation(world, setup)
        if wrong:
            return Found(len(came), wrong, trace(came, world), False, time.perf_counter() - begun)
        for label, after in successors(world, setup):
            after = simplest(after, setup)
            if after not in came:
                came[after] = (world, label)
                queue.append(after)
    return Found(len(came), "", (), not queue, time.perf_counter() - begun)


def trace(came: dict[World, tuple[World, str] | None], world: World) -> tuple[str, ...]:
    """The steps from the beginning to a world."""
    steps = []
    before = came[world]
    while before:
        world, label = before
        steps.append(label)
        before = came[world]
    return tuple(reversed(steps))
