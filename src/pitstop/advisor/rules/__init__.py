"""The rules, one file each: evidence in, findings out. A rule reads nothing but its evidence."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from pitstop.advisor.rules import (
    cold_cache,
    connections_used,
    counted_table,
    deep_offset,
    forbidden_load,
    forced_checkpoints,
    idle_in_transaction,
    large_result,
    missing_index,
    n_plus_one,
    pool_settings,
    poor_plan,
    sequential_scan,
    skewed_value,
    slow_route,
    slow_statement,
    small_buffers,
    starved_pool,
    temporary_files,
    unindexed_foreign_key,
    unsafe_setting,
    untuned_server,
    unused_columns,
)

if TYPE_CHECKING:
    from pitstop.advisor.evidence import Evidence
    from pitstop.advisor.finding import Finding

__all__ = ["RULES"]

RULES: "tuple[Callable[[Evidence], Iterable[Finding]], ...]" = (
    forbidden_load.examine,
    n_plus_one.examine,
    slow_statement.examine,
    large_result.examine,
    slow_route.examine,
    missing_index.examine,
    poor_plan.examine,
    skewed_value.examine,
    counted_table.examine,
    deep_offset.examine,
    unindexed_foreign_key.examine,
    sequential_scan.examine,
    unused_columns.examine,
    cold_cache.examine,
    starved_pool.examine,
    pool_settings.examine,
    connections_used.examine,
    idle_in_transaction.examine,
    unsafe_setting.examine,
    temporary_files.examine,
    forced_checkpoints.examine,
    small_buffers.examine,
    untuned_server.examine,
)
