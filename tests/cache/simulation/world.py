"""The state of the modelled world: immutable tuples of ints, and the setup that a search runs under.

Times are ticks left, so that the space is finite. A number of a change log is only ever compared as "has
the tag changed since", so the model keeps that answer as a bit (``fresh``). A token is only ever compared
for equality, so a new random one is the smallest number that nobody remembers.
"""

from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from tests.cache.simulation.rules import Rules

FENCED = -1  # a token while a writer's fence is on it
MISSING = 0
DIRTY = 9  # a version that no commit made

UP, FROZEN, DEAD = range(3)
CUT, NOTICED, ON, RETIRED = range(4)
ANNOUNCE, RELEASED, RENEWED, REMOVED, JOINED, PONG, LOG = range(7)

(IDLE, WROTE, FENCING, ANNOUNCED, READY, COMMITTED, TOLD, AGAIN, ENDED, ABORTED, AWAY, INSERTED, UNFENCED) = (
    range(13)
)
(RESTING, STARTED, HIT, MISS, LOADED, CAPTURED, BARRIER, PASSED, SHARING, RETURNED, ANSWERED, EPOCH) = range(
    12
)
DISTRUST, LOCKED, TAKEN, REPLAYED, TRUST = range(5)


class Database(NamedTuple):
    """PostgreSQL: ``version`` counts the commits of the tag's rows, which a snapshot sees all or none of."""

    version: int = 0
    acknowledged: int = 0  # the newest commit that its writer was told of
    settled: int = 0  # the newest commit acknowledged at least LEASE ago
    outbox: int = 0  # a committed row waits in the outbox
    taken: int = 0  # 1 + the process whose uncommitted DELETE holds that row


class Redis(NamedTuple):
    """The server: the tag's token with its fences, one value, the epoch, the holders."""

    up: int
    run: int
    epoch: int
    token: int
    counter: int  # only for the planted bug of counters
    fences: tuple[int, ...]  # by writer: ticks left
    value: tuple[int, int, int] | None  # version, token, epoch
    holders: tuple[int, ...]  # by process
    young: int  # ticks during which holders unknown to this server may still serve
    quarantine: int  # ticks during which fences of the lost server would stand
    begun: int = (
        0  # in a Cluster: the run of the tag's node that the epoch was begun with; `run` is the present one
    )


class Process(NamedTuple):
    """One process: its coherence connection, its lease, its memory (one entry) and its change log."""

    life: int
    connection: int
    joined: int
    lease: int
    asked: int  # what the renewal under way will give; -1: none under way
    queue: tuple[tuple[int, int], ...]  # replies and pushes on the coherence connection, in order
    memory: int  # version in L1, -1: none (or one that the log has invalidated)
    open: tuple[int, ...]  # by writer: ticks left of an announcement whose release was not heard
    trust: int
    awaited: int = -1  # under a new epoch: the commits seen under way, a bit each; -1: has not looked
    view: int = 0  # in a Cluster: the run of the tag's node that it trusts; -1: it has met another
    epoch: int = 0  # in a Cluster: the epoch that it joined


class Writer(NamedTuple):
    """One transaction, or one invalidation by hand."""

    phase: int = IDLE
    listed: int = 0  # holders not heard of yet, a bit each
    renewed: int = 0  # holders that renewed after the announcement
    wait: int = 0
    idle: int = 0  # what is left of idle_in_transaction_session_timeout
    doubt: int = 0  # after a kill: until the fence has run out; after the acknowledgement: until settled
    version: int = 0


class Reader(NamedTuple):
    """One call of the cached function."""

    phase: int = RESTING
    token: int = 0
    epoch: int = 0
    version: int = 0
    fresh: int = 0
    least: int = 0  # the version acknowledged when the call began
    given: int = 0  # its caller, and who waited with it, have the value before Redis


class World(NamedTuple):
    """Everything."""

    database: Database
    redis: Redis
    processes: tuple[Process, ...]
    writers: tuple[Writer, ...]
    readers: tuple[Reader, ...]
    faults: int  # how many more may happen
    broken: str  # what a step found wrong


@dataclass(frozen=True, slots=True)
class Setup:
    """What a search runs: the actors, the faults, the times in ticks and the rules in force.

    Attributes:
        writers: ``(process, kind)``; kinds: ``commit``, ``manual`` (invalidate by hand, after a commit made
            elsewhere), ``other`` (commits under a tag that the reader does not have), ``rollback``.
        readers: ``(process, kind)``; kinds: ``known`` (tags from arguments), ``late`` (tokens after the
            snapshot: found while loading, or a transaction older than the load), ``prompt`` and
            ``prompt_late`` (the same, answered before Redis has the value), ``joiner`` (may share the load
            of the reader before it).
        holding: processes that have the entry in memory at the beginning although nobody reads there later;
            those with readers have it too.
    """

    name: str
    writers: tuple[tuple[int, str], ...]
    readers: tuple[tuple[int, str], ...]
    processes: int = 2
    holding: tuple[int, ...] = ()
    faults: frozenset[str] = frozenset()
    budget: int = 0
    lease: int = 1
    fence: int = 4
    strict: bool = True
    outbox: bool = False
    cold: bool = False  # nothing cached at the beginning
    memory: bool = True  # false: only Redis caches
    told_after_release: bool = False  # the caller hears of its commit after the release, not before
    cluster: bool = False  # epoch, holders and channel on one node, token, fence and value on another
    rules: Rules = field(default_factory=Rules)

    def caches(self, process: int) -> bool:
        """Whether a process has a memory and takes leases."""
        return self.memory and (process in self.holding or any(owner == process for owner, _ in self.readers))


Step = tuple[str, World]
T = TypeVar("T")


def start(setup: Setup) -> World:
    """Version 0 is in the database, in Redis and in the memory of every caching process, under a lease."""
    nobody = (0,) * len(setup.writers)
    caching = [int(setup.caches(at)) for at in range(setup.processes)]
    return World(
        Database(),
        Redis(1, 0, 0, 1, 1, nobody, None if setup.cold else (0, 1, 0), tuple(caching), 0, 0),
        tuple(
            Process(UP, ON, 1, setup.lease, -1, (), -setup.cold, nobody, TRUST)
            if each
            else retired(UP, nobody, DISTRUST if setup.outbox else TRUST)
            for each in caching
        ),
        (Writer(),) * len(setup.writers),
        (Reader(),) * len(setup.readers),
        setup.budget,
        "",
    )


def retired(life: int, nobody: tuple[int, ...], trust: int, view: int = 0, epoch: int = 0) -> Process:
    """A process that can serve nothing from memory any more: the rest of it makes no difference."""
    return Process(life, RETIRED, 0, 0, -1, (), -1, nobody, trust, view=view, epoch=epoch)


def put(items: tuple[T, ...], index: int, item: T) -> tuple[T, ...]:
    """The tuple with one item replaced."""
    return (*items[:index], item, *items[index + 1 :])
