"""Slices of several variants in turn, so that a busy machine is busy for all of them alike."""

import statistics
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

__all__ = ["Cost", "interleave", "timed"]


@dataclass(frozen=True, slots=True)
class Cost:
    """What one operation takes, in microseconds: of this process's CPU, all threads, and of the clock."""

    cpu_us: float
    wall_us: float


async def timed(slice_: Callable[[], Awaitable[int]]) -> Cost:
    """Run one slice, which returns how many operations it did."""
    cpu, wall = time.process_time(), time.perf_counter()
    count = await slice_()
    return Cost((time.process_time() - cpu) / count * 1e6, (time.perf_counter() - wall) / count * 1e6)


async def interleave(slices: Mapping[T, Callable[[], Awaitable[int]]], *, rounds: int) -> dict[T, Cost]:
    """The median cost of each variant over so many rounds, each a slice of every variant in turn."""
    costs: dict[T, list[Cost]] = {name: [] for name in slices}
    for number in range(rounds + 1):
        for name, slice_ in slices.items():
            cost = await timed(slice_)
            if number:  # the first round warms up
                costs[name].append(cost)
    return {
        name: Cost(statistics.median(c.cpu_us for c in each), statistics.median(c.wall_us for c in each))
        for name, each in costs.items()
    }
