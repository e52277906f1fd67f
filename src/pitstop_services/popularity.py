"""Which rows a load asks for: by Zipf's law, so that few are popular, the same in every run."""

import itertools
from collections.abc import Sequence
from random import Random

__all__ = ["SEED", "Ids", "read_range"]

EXPONENT = 1.0
SEED = 20200531


class Ids:
    """Ids of which the k-th most popular is drawn in proportion to 1/k.

    Args:
        ids: all that there are; which of them is popular is shuffled, the same in every run.
    """

    def __init__(self, ids: Sequence[int]) -> None:
        self.ids = list(ids)
        Random(SEED).shuffle(self.ids)  # noqa: S311 - repeatable, not secret
        self.weights = list(itertools.accumulate(1 / rank**EXPONENT for rank in range(1, len(ids) + 1)))

    def draw(self, random: Random) -> int:
        """One id."""
        return random.choices(self.ids, cum_weights=self.weights)[0]


def read_range(value: str) -> list[int]:
    """All ids of a range as a user writes it, e.g. ``"1-5000"``.

    Raises:
        RuntimeError: it is written otherwise, or ends before it begins.
    """
    first, _, last = value.partition("-")
    if not (first.isdigit() and last.isdigit() and int(first) <= int(last)):
        raise RuntimeError(f"cannot read the ids {value!r}: write them like 1-5000")
    return list(range(int(first), int(last) + 1))
