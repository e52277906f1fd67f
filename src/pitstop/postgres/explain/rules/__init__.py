"""The rules: one file each, a plan in, findings out."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from pitstop.postgres.explain.finding import Finding
from pitstop.postgres.explain.rules import (
    aggregate_on_disk,
    array_element,
    bloat,
    cold_cache,
    correlated_subplan,
    filter_after_index,
    filtered_scan,
    hash_batches,
    heap_fetches,
    index_searches,
    io_time,
    jit,
    locality,
    lock_wait,
    lossy_bitmap,
    many_loops,
    memory,
    misestimate,
    not_in,
    offset,
    or_filter,
    order_by_limit,
    outside_nodes,
    partition_pruning,
    planning,
    recheck,
    repeated_scan,
    settings,
    sort_before_limit,
    sort_on_disk,
    stale_statistics,
    stored_on_disk,
    trigger_time,
    workers_missing,
    wrapped_column,
)

if TYPE_CHECKING:
    from pitstop.postgres.explain.plan import Plan

__all__ = ["RULES", "examine"]

_MODULES = (
    filtered_scan,
    repeated_scan,
    wrapped_column,
    array_element,
    or_filter,
    not_in,
    sort_before_limit,
    order_by_limit,
    offset,
    filter_after_index,
    recheck,
    index_searches,
    misestimate,
    stale_statistics,
    sort_on_disk,
    aggregate_on_disk,
    hash_batches,
    stored_on_disk,
    lossy_bitmap,
    memory,
    many_loops,
    correlated_subplan,
    partition_pruning,
    heap_fetches,
    bloat,
    locality,
    cold_cache,
    io_time,
    workers_missing,
    jit,
    planning,
    trigger_time,
    lock_wait,
    outside_nodes,
    settings,
)
RULES: dict[str, Callable[["Plan"], Iterable[Finding]]] = {each.RULE: each.examine for each in _MODULES}

_TRIFLING_SHARE = 0.01
_TRIFLING_MS = 0.1


def examine(plan: "Plan", *, all_: bool = False) -> list[Finding]:
    """What the rules find, by saving; of two findings of a kind that save as much, the upper node's first.

    Args:
        plan: what is judged.
        all_: also what would save less than a hundredth of the time, or less than 0.1 ms.
    """
    found = [finding for rule in RULES.values() for finding in rule(plan)]
    least = 0.0 if all_ else max(_TRIFLING_SHARE * plan.whole_ms, _TRIFLING_MS)
    kept = [each for each in found if not 0.0 < each.saving_ms < least]
    return sorted(kept, key=lambda each: -each.saving_ms)
