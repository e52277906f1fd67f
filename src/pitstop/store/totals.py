"""The mergeable totals that the record is made of: latencies, scopes, statements, N+1."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = [
    "CacheTotals",
    "Latency",
    "Location",
    "NPlusOneKey",
    "NPlusOneTotals",
    "Observations",
    "PoolSettings",
    "PoolTotals",
    "ScopeKey",
    "ScopeTotals",
    "StatementKey",
    "StatementTotals",
    "UnusedColumn",
]

Location = tuple[str, int, str]
ScopeKey = tuple[str, str]
StatementKey = tuple[str, str, str, Location | None]
NPlusOneKey = tuple[str, str, str, str, str, Location | None, Location | None, tuple[Location, ...]]
UnusedColumnKey = tuple[str, str, str, Location | None, str, str]

# Buckets grow by 5%, so a value told from the middle of its bucket is wrong by 2.44% at most, and counts of
# several processes add up (DDSketch: Masson, Rim, Lee, VLDB 2019).
_GAMMA = 1.05
_LOG_GAMMA = math.log(_GAMMA)
_LEAST_MS = 0.001


class Latency:
    """How often each duration occurred, told to within 2.5%; two of them merge by addition.

    Attributes:
        buckets: number of durations by the bucket they fall into.
    """

    __slots__ = ("buckets",)

    def __init__(self, buckets: Mapping[int, int] | None = None) -> None:
        self.buckets: dict[int, int] = dict(buckets or {})

    def __repr__(self) -> str:
        return f"<Latency of {self.count}: p50 {self.quantile(0.5):.3g} ms, p99 {self.quantile(0.99):.3g} ms>"

    @property
    def count(self) -> int:
        """Number of durations."""
        return sum(self.buckets.values())

    def add(self, ms: float) -> None:
        """Count one duration in milliseconds; below a microsecond it counts as a microsecond."""
        bucket = math.ceil(math.log(ms) / _LOG_GAMMA) if ms > _LEAST_MS else _LEAST_BUCKET
        self.buckets[bucket] = self.buckets.get(bucket, 0) + 1

    def merge(self, other: "Latency") -> None:
        """Add the counts of another one."""
        for bucket, count in other.buckets.items():
            self.buckets[bucket] = self.buckets.get(bucket, 0) + count

    def quantile(self, q: float) -> float:
        """The duration that a share ``q`` (0 to 1) of all stays at or below, in milliseconds; 0 of none."""
        rank = max(math.ceil(round(q * self.count, 9)), 1)  # the nearest rank, as in pitstop.statistics
        seen = 0
        for bucket in sorted(self.buckets):
            seen += self.buckets[bucket]
            if seen >= rank:
                return float(2 * _GAMMA**bucket / (_GAMMA + 1))
        return 0.0


_LEAST_BUCKET = math.ceil(math.log(_LEAST_MS) / _LOG_GAMMA)


@dataclass(slots=True)
class ScopeTotals:
    """All requests of one route (or runs of one operation, or processes of one script).

    Attributes:
        kind, name: as in ``pitstop.scope.Scope``.
        count: how many ended; errors: how many raised or answered with 5xx.
        total_ms, max_ms: wall time, milliseconds.
        statements, max_statements: SQL statements in all of them, and the most in one.
        first_seen, last_seen: seconds since the epoch.
        latency: how the wall times are distributed.
    """

    kind: str
    name: str
    count: int = 0
    errors: int = 0
    total_ms: float = 0.0
    max_ms: float = 0.0
    statements: int = 0
    max_statements: int = 0
    first_seen: float = 0.0
    last_seen: float = 0.0
    latency: Latency = field(default_factory=Latency)

    @property
    def mean_ms(self) -> float:
        """Mean wall time, milliseconds."""
        return self.total_ms / self.count if self.count else 0.0

    def quantile(self, q: float) -> float:
        """As that of the latency, which is told to within 2.5%, but never above the longest."""
        return min(self.latency.quantile(q), self.max_ms)


@dataclass(slots=True)
class StatementTotals:
    """All executions of one statement from one line within one route, operation or script.

    Attributes:
        scope_kind, scope: the key of its :class:`ScopeTotals`.
        fingerprint: the statement without its values.
        location: ``(file, line, function)`` in the user's code, or None.
        text: the SQL, at most 10,000 characters of it.
        calls: executions; total_ms, max_ms: milliseconds.
        rows: rows of all executions, -1 where the driver did not tell.
        last_seen: seconds since the epoch.
        skipped: rows that OFFSET skipped in all executions.
    """

    scope_kind: str
    scope: str
    fingerprint: str
    location: Location | None
    text: str
    calls: int = 0
    total_ms: float = 0.0
    max_ms: float = 0.0
    rows: int = -1
    last_seen: float = 0.0
    skipped: int = 0


@dataclass(slots=True)
class NPlusOneTotals:
    """One N+1 within one route, operation or script.

    Attributes:
        scope_kind, scope: the key of its :class:`ScopeTotals`.
        kind, parent, relationship, query_location, location, callers, cure, imports, is_expression:
            as in ``pitstop.sql.NPlusOne``.
        requests: in how many it happened.
        extra, max_extra: extra statements in all of them, and the most in one.
        total_ms: time spent in the extra statements, milliseconds.
        last_seen: seconds since the epoch. Far older than its scope's: it has been cured since.
    """

    scope_kind: str
    scope: str
    kind: str
    parent: str
    relationship: str
    query_location: Location | None
    location: Location | None
    cure: str
    imports: tuple[str, ...] = ()
    is_expression: bool = False
    requests: int = 0
    extra: int = 0
    max_extra: int = 0
    total_ms: float = 0.0
    last_seen: float = 0.0
    callers: tuple[Location, ...] = ()


@dataclass(frozen=True, slots=True)
class UnusedColumn:
    """A column that a statement of a route loads, and that the route's response model cannot show.

    Attributes:
        scope_kind, scope, fingerprint, location: as in :class:`StatementTotals`.
        entity, attribute: the mapped class and its attribute.
        table, column: where it is in the database.
        type: ``"text"``, ``"json"``, ``"bytes"`` or ``"string"``.
    """

    scope_kind: str
    scope: str
    fingerprint: str
    location: Location | None
    entity: str
    attribute: str
    table: str
    column: str
    type: str

    @property
    def key(self) -> UnusedColumnKey:
        """What tells it from others."""
        return (*(self.scope_kind, self.scope, self.fingerprint), self.location, self.entity, self.attribute)


@dataclass(slots=True)
class CacheTotals:
    """All calls that caches were asked for in one namespace.

    Attributes:
        namespace: of the caches.
        hits, misses: calls that were answered by a cache, and those that waited for a load.
        refused: loads whose value was not kept.
    """

    namespace: str
    hits: int = 0
    misses: int = 0
    refused: int = 0

    @property
    def hit_rate(self) -> float:
        """Share of calls that a cache answered, 0..1; 0 of none."""
        return self.hits / (self.hits + self.misses) if self.hits + self.misses else 0.0

    def add(self, other: "CacheTotals") -> None:
        """Add the counts of another one."""
        self.hits += other.hits
        self.misses += other.misses
        self.refused += other.refused


@dataclass(slots=True)
class PoolTotals:
    """All waits for a connection of a pool.

    Attributes:
        name: of the pool.
        waits: how many had to wait; exhausted: how many of them got none.
        wait_ms, max_wait_ms: how long they waited in all, and the longest.
        held_by: who had the connections when one got none, in words; empty if that never was.
    """

    name: str
    waits: int = 0
    exhausted: int = 0
    wait_ms: float = 0.0
    max_wait_ms: float = 0.0
    held_by: str = ""

    def add(self, other: "PoolTotals") -> None:
        """Add the counts of another one."""
        self.waits += other.waits
        self.exhausted += other.exhausted
        self.wait_ms += other.wait_ms
        self.max_wait_ms = max(self.max_wait_ms, other.max_wait_ms)
        self.held_by = other.held_by or self.held_by


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """How the pool of an engine was set when it was last seen.

    Attributes:
        database: the name in the engine's address; driver: ``"asyncpg"``, ``"psycopg"`` ...
        pool: the name of its class, e.g. ``"NullPool"``.
        size, overflow: connections that stay open, and how many more there may be; -1 for any number.
        recycle_s: age at which a connection is replaced, seconds; -1 for never.
        pre_ping: whether a connection is tried before it is given out.
    """

    database: str
    driver: str
    pool: str
    size: int
    overflow: int
    recycle_s: int
    pre_ping: bool

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells it from others."""
        return (self.database, self.driver, self.pool)


@dataclass(slots=True)
class Observations:
    """What was observed, folded; what the store merges in and what it gives back.

    Attributes:
        scopes, statements, n_plus_one: totals by their keys.
        unused_columns: columns that routes load and cannot show.
        caches: what caches were asked for, by namespace.
        pools: waits for connections, by the name of the pool.
        pool_settings: how the pools of the observed engines were set.
        statement_latency: how the times of a statement are distributed, by its fingerprint.
    """

    scopes: dict[ScopeKey, ScopeTotals] = field(default_factory=dict)
    statements: dict[StatementKey, StatementTotals] = field(default_factory=dict)
    n_plus_one: dict[NPlusOneKey, NPlusOneTotals] = field(default_factory=dict)
    statement_latency: dict[str, Latency] = field(default_factory=dict)
    unused_columns: dict[UnusedColumnKey, UnusedColumn] = field(default_factory=dict)
    caches: dict[str, CacheTotals] = field(default_factory=dict)
    pools: dict[str, PoolTotals] = field(default_factory=dict)
    pool_settings: dict[tuple[str, str, str], PoolSettings] = field(default_factory=dict)

    def __len__(self) -> int:
        of_sql = len(self.statements) + len(self.n_plus_one) + len(self.unused_columns)
        return len(self.scopes) + of_sql + len(self.caches) + len(self.pools) + len(self.pool_settings)
