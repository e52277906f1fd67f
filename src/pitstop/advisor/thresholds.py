"""From which values on something is a finding."""

from dataclasses import dataclass

__all__ = ["Thresholds"]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Attributes:
    slow_request_ms: p95 of a route.
    slow_statement_ms: mean of a statement.
    large_result_rows: rows that one statement of a request brings into the application.
    cache_hit_rate: share of calls that a namespace of the cache is to answer.
    cache_calls: calls from which on that is judged: fewer are the first of each key.
    skipped_rows: rows that OFFSET skips in one execution, on average.
    scanned_rows: rows of a table from which on sequential scans of it are worth a finding.
    """

    slow_request_ms: float = 500.0
    slow_statement_ms: float = 100.0
    large_result_rows: int = 1_000
    skipped_rows: int = 1_000
    scanned_rows: int = 10_000
    cache_hit_rate: float = 0.8
    cache_calls: int = 1_000
