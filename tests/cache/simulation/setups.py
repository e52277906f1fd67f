"""The setups that are searched, and for each rule the setup in which its absence is found."""

from tests.cache.simulation.rules import Rules
from tests.cache.simulation.world import Setup

COMMIT, OTHER, MANUAL, ROLLBACK = "commit", "other", "manual", "rollback"
KNOWN, LATE, JOINER = "known", "late", "joiner"


def setup(name: str, writers: str, readers: str, *faults: str, **options: object) -> Setup:
    """A setup in short: ``"0 commit, 1 other"`` are a writer in process 0 and one in process 1."""
    return Setup(
        name,
        actors(writers),
        actors(readers),
        faults=frozenset(faults),
        budget=int(bool(faults)),
        **options,  # type: ignore[arg-type]
    )


def actors(text: str) -> tuple[tuple[int, str], ...]:
    """``(process, kind)`` of each."""
    pairs = (each.split() for each in text.split(",") if each.strip())
    return tuple((int(process), kind) for process, kind in pairs)


SETUPS = {
    each.name: each
    for each in (
        setup("one writer, a reader elsewhere", "0 commit", "1 known"),
        setup("one writer, a reader beside it", "0 commit", "0 known"),
        setup("a cold start", "0 commit", "1 known", cold=True),
        setup("a cold start, a reader beside the writer", "0 rollback", "0 known", cold=True),
        setup("two writers, only Redis", "0 commit, 0 commit", "1 known", memory=False),
        setup("two writers, one is killed, only Redis", "0 commit, 1 commit", "2 known", "kill", processes=3,
              memory=False),
        setup("two writers", "0 commit, 0 commit", "1 known"),
        setup("a writer that rolls back", "0 rollback", "0 known"),
        setup("tokens after the snapshot", "0 commit", "1 late"),
        setup("tokens after the snapshot, bounded", "0 commit", "1 late", strict=False),
        setup("a shared load", "0 commit", "1 known, 1 joiner"),
        setup("a shared load, tokens after the snapshot", "0 commit", "1 late, 1 joiner"),
        setup("invalidation by hand", "0 manual", "1 known"),
        setup("a writer of another tag", "0 other, 0 commit", "", holding=(1,)),
        setup("bounded", "0 commit", "0 known, 1 known", strict=False),
        setup("a process is killed", "0 commit", "1 known", "kill"),
        setup("a process is killed, tokens after the snapshot", "0 commit", "1 late", "kill"),
        setup("a process is frozen", "0 commit", "1 known", "freeze"),
        setup("a connection is cut", "0 commit", "1 known", "cut"),
        setup("a connection is cut, tokens after the snapshot", "0 commit", "1 late", "cut"),
        setup("a connection is cut, a shared load", "0 commit", "1 late, 1 joiner", "cut"),
        setup("a token is evicted", "0 commit", "1 known", "evict"),
        setup("Redis starts again", "0 commit", "1 known", "restart"),
        setup("Redis fails over", "0 commit", "1 known", "failover"),
        setup("Redis hangs", "0 commit", "1 known", "hang", outbox=True),
        setup("Redis hangs, two drain", "0 commit", "1 known", "hang", outbox=True, holding=(0,)),
        setup("Redis fails over, the caller is told after the release", "0 commit", "1 known", "failover",
              told_after_release=True, rules=Rules(quarantine=False)),
    )
}
