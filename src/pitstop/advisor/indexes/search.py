"""The search: which of the candidates, together, make the workload cheapest for what they cost."""

import heapq
import math
from collections.abc import Callable, Sequence

from pitstop.advisor.indexes.pricing import Pricing

__all__ = ["geometric_mean", "search"]

_LEAST_GAIN = 0.1
_SAME = 1e-9
_KEYS_WEIGHT = 5 * math.log(2)  # a fifth of all tables' size must halve the cost of a frequent statement
_INCLUDED_WEIGHT = 10 * math.log(2)  # a tenth of it, where the keys alone would do
_WORTH_ANY_SIZE = math.log(4)  # what quarters it may be as large as it is

Bundle = tuple[int, ...]
_Entry = tuple[float, int, int, str, Bundle, int]
Merge = Callable[[Sequence[int]], list[tuple[tuple[int, int], int]]]
Thin = Callable[[int], int | None]


def search(pricing: Pricing, *, merge: Merge, thin: Thin) -> list[int]:
    """Take what gains most, again and again; then put back what the others made superfluous or is too large.

    A candidate's gain seldom grows when others are taken, so one is priced anew only when it is next in
    line (lazy greedy: Minoux 1978). Equal gains are decided by size, number of columns and text, never by
    chance.

    Args:
        pricing: of the workload.
        merge: makes the indexes that serve what two of the chosen serve: those two, and its number.
        thin: makes the index with the same keys and nothing beside them: its number, or None if it is that.

    Returns:
        the numbers of the chosen, in the order they were taken.
    """
    chosen = _swap(pricing, _grow(pricing))
    chosen = _prune(pricing, chosen)
    chosen = _prune(pricing, _merge(pricing, chosen, merge))
    return _prune(pricing, _trim(pricing, chosen, thin))


def _grow(pricing: Pricing) -> list[int]:
    chosen: list[int] = []
    queue = [_entry(pricing, pricing.gain(each), each, 0) for each in _bundles(pricing)]
    heapq.heapify(queue)
    taken, gain = 0, 0.0
    while queue:
        worth, *_, bundle, priced = heapq.heappop(queue)
        fresh = [each for each in bundle if each not in chosen]
        if not fresh or -worth < _LEAST_GAIN * len(fresh):
            continue
        if priced < taken:
            heapq.heappush(queue, _entry(pricing, pricing.gain([*chosen, *fresh]) - gain, bundle, taken))
            continue
        chosen += fresh
        gain = pricing.gain(chosen)
        taken += 1
    return chosen


def _bundles(pricing: Pricing) -> list[Bundle]:
    """Each candidate alone, and those that one statement uses together when it may use any."""
    together = [
        pricing.used(number, pricing.of_statement(number)) for number in range(len(pricing.statements))
    ]
    pairs = [each for each in together if len(each) > 1]
    return list(dict.fromkeys([*((number,) for number in range(len(pricing.candidates))), *pairs]))


def _entry(pricing: Pricing, worth: float, bundle: Bundle, taken: int) -> _Entry:
    made = [pricing.candidates[each] for each in bundle]
    text = "\n".join(each.ddl for each in made)
    columns = text.count(",") + text.count(" INCLUDE ")
    return -round(worth, 9), sum(each.size_bytes for each in made), columns, text, bundle, taken


def _swap(pricing: Pricing, chosen: list[int]) -> list[int]:
    """Put another candidate of the same table in a place where it does more."""
    for place in range(len(chosen)):
        gain = pricing.gain(chosen)
        best, best_gain = chosen[place], gain
        for other in pricing.rivals(chosen[place]):
            if other not in chosen:
                tried = pricing.gain([*chosen[:place], other, *chosen[place + 1 :]])
                if tried > best_gain + _LEAST_GAIN / 5:
                    best, best_gain = other, tried
        chosen[place] = best
    return chosen


def _merge(pricing: Pricing, chosen: list[int], merge: Merge) -> list[int]:
    """Put one index in the place of two, where it is worth as much."""
    while True:
        gain = pricing.gain(chosen)
        tried = [
            (pricing.gain([one, *(each for each in chosen if each not in pair)]), -number, one, pair)
            for number, (pair, one) in enumerate(merge(chosen))
        ]
        best, _, one, pair = max(tried, default=(-math.inf, 0, 0, (0, 0)))
        if best < gain:
            return chosen
        place = min(chosen.index(each) for each in pair)
        chosen = [
            one if number == place else each
            for number, each in enumerate(chosen)
            if number == place or each not in pair
        ]


def _prune(pricing: Pricing, chosen: list[int]) -> list[int]:
    """Leave out, least useful first, what is hardly missed."""
    while chosen:
        gain = pricing.gain(chosen)
        losses = [
            (gain - pricing.gain([each for each in chosen if each != one]), -place, one)
            for place, one in enumerate(chosen)
        ]
        loss, _, one = min(losses)
        if loss >= _LEAST_GAIN:
            return chosen
        chosen = [each for each in chosen if each != one]
    return chosen


def _trim(pricing: Pricing, chosen: list[int], thin: Thin) -> list[int]:
    """Make do with less, worst bargain first, where what is lost is less than the space is worth."""
    while chosen:
        gain = pricing.gain(chosen)
        tried = []
        for place, one in enumerate(chosen):
            slim = thin(one)
            rests: list[tuple[float, list[int]]] = [(_KEYS_WEIGHT, [])]
            if slim is not None and slim not in chosen:
                rests.append((_INCLUDED_WEIGHT, [slim]))
            for weight, rest in rests:
                left = [*chosen[:place], *rest, *chosen[place + 1 :]]
                freed = pricing.share(one) - sum(map(pricing.share, rest))
                price = min(weight * freed, _WORTH_ANY_SIZE)
                tried.append((price - (gain - pricing.gain(left)), -place, left))
        better, _, left = max(tried)
        if better <= 0:
            return chosen
        chosen = left
    return chosen


def geometric_mean(values: Sequence[float], weights: Sequence[float]) -> float:
    """The weighted geometric mean of costs; 0 of none."""
    total = sum(weights)
    if total <= _SAME:
        return 0.0
    logs = (weight * math.log(max(value, _SAME)) for value, weight in zip(values, weights, strict=True))
    return math.exp(sum(logs) / total)
