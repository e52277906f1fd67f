"""The setups that are searched, and for each rule the setup in which its absence is found."""

from tests.cache.simulation.rules import Rules
from tests.cache.simulation.world import Setup

COMMIT, OTHER, MANUAL, ROLLBACK = "commit", "other", "manual", "rollback"


def setup(name: str, writers: str, readers: str, *faults: str, budget: int = 1, **options: object) -> Setup:
    """A setup in short: ``"0 commit, 1 other"`` are a writer in process 0 and one in process 1."""
    return Setup(
        name,
        actors(writers),
        actors(readers),
        faults=frozenset(faults),
        budget=budget if faults else 0,
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
        setup(
            "two writers, one is killed, only Redis",
            "0 commit, 1 commit",
            "2 known",
            "kill",
            processes=3,
            memory=False,
        ),
        setup("two writers", "0 commit, 0 commit", "1 known"),
        setup("a writer that rolls back", "0 rollback", "0 known"),
        setup("tokens after the snapshot", "0 commit", "1 late"),
        setup("tokens after the snapshot, bounded", "0 commit", "1 late", strict=False),
        setup("a shared load", "0 commit", "1 known, 1 joiner"),
        setup("a shared load, tokens after the snapshot", "0 commit", "1 late, 1 joiner"),
        setup("an early answer", "0 commit", "1 prompt"),
        setup("an early answer, tokens after the snapshot", "0 commit", "1 prompt_late"),
        setup("an early answer, shared", "0 commit", "1 prompt, 1 joiner"),
        setup("an early answer, tokens after the snapshot, shared", "0 commit", "1 prompt_late, 1 joiner"),
        setup("an early answer, a process is killed", "0 commit", "1 prompt_late", "kill"),
        setup("an early answer, a connection is cut", "0 commit", "1 prompt_late", "cut"),
        setup("an early answer, Redis starts again", "0 commit", "1 prompt", "restart"),
        setup("an early answer, Redis fails over", "0 commit", "1 prompt_late", "failover"),
        setup(
            "an early answer beside the writer, Redis hangs", "0 commit", "0 prompt_late", "hang", outbox=True
        ),
        setup("an early answer, by hand", "0 manual", "1 prompt_late"),
        setup("invalidation by hand", "0 manual", "1 known"),
        setup("invalidation by hand, tokens after the snapshot", "0 manual", "1 late"),
        setup(
            "invalidation by hand without a fence, tags known",
            "0 manual",
            "1 known",
            rules=Rules(fence_by_hand=False),
        ),
        setup("invalidation by hand, a shared load", "0 manual", "1 late, 1 joiner"),
        setup("invalidation by hand, Redis fails over", "0 manual", "1 known", "failover"),
        setup("invalidation by hand, a connection is cut", "0 manual", "1 late", "cut"),
        setup(
            "invalidation by hand beside a writer, only Redis", "0 manual, 0 commit", "1 known", memory=False
        ),
        setup("bounded, a connection is cut", "0 commit", "1 late", "cut", strict=False),
        setup("Redis fails over, a reader beside the writer", "0 commit", "0 late", "failover"),
        setup("Redis hangs, a reader beside the writer", "0 commit", "0 late", "hang", outbox=True),
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
        setup("Redis starts again, tokens after the snapshot", "0 commit", "1 late", "restart"),
        setup("Redis starts again, the writer is killed", "0 commit", "1 known", "restart", "kill", budget=2),
        setup("Cluster, a node starts again", "0 commit", "1 known", "node restart", cluster=True),
        setup("Cluster, a node fails over", "0 commit", "1 known", "node failover", cluster=True),
        setup(
            "Cluster, a node fails over, early answer",
            "0 commit",
            "1 prompt_late",
            "node failover",
            cluster=True,
        ),
        setup(
            "Cluster, a node fails over, two readers",
            "0 commit",
            "1 known, 2 late",
            "node failover",
            cluster=True,
            processes=3,
        ),
        setup(
            "Cluster, a node starts again, the writer is killed",
            "0 commit",
            "1 known",
            "node restart",
            "kill",
            budget=2,
            cluster=True,
        ),
        setup(
            "Cluster, a node fails over, the writer is killed",
            "0 commit",
            "1 known",
            "node failover",
            "kill",
            budget=2,
            cluster=True,
        ),
        setup("Redis hangs", "0 commit", "1 known", "hang", outbox=True),
        setup("Redis hangs, two drain", "0 commit", "", "hang", outbox=True, holding=(0, 1)),
        setup(
            "Redis fails over, the caller is told after the release",
            "0 commit",
            "1 known",
            "failover",
            told_after_release=True,
            rules=Rules(quarantine=False),
        ),
    )
}

SHORT = (
    "one writer, a reader elsewhere",
    "one writer, a reader beside it",
    "a cold start",
    "a cold start, a reader beside the writer",
    "two writers, only Redis",
    "a writer that rolls back",
    "tokens after the snapshot",
    "tokens after the snapshot, bounded",
    "an early answer",
    "invalidation by hand",
    "invalidation by hand, tokens after the snapshot",
    "invalidation by hand without a fence, tags known",
    "invalidation by hand beside a writer, only Redis",
    "a writer of another tag",
    "a process is frozen",
    "a token is evicted",
    "Redis hangs",
)

PLANTED = {
    "fence": "one writer, a reader elsewhere",
    "keep_others_fence": "two writers, only Redis",
    "release_own_only": "two writers, only Redis",
    "random_tokens": "a token is evicted",
    "fence_is_kept": "a token is evicted",
    "idle_timeout": "one writer, a reader elsewhere",
    "recheck": "Redis fails over, the caller is told after the release",
    "own_log_after_fence": "one writer, a reader beside it",
    "fence_by_hand": "invalidation by hand, tokens after the snapshot",
    "replace_first": "invalidation by hand without a fence, tags known",
    "lease_from_sending": "one writer, a reader elsewhere",
    "wait_from_reply": "one writer, a reader elsewhere",
    "wait_for_acks": "one writer, a reader elsewhere",
    "ack_after_log": "one writer, a reader elsewhere",
    "forget_on_reconnect": "a connection is cut",
    "forget_when_joined": "a connection is cut",
    "remove_if_silent": "a writer of another tag",
    "check_log": "tokens after the snapshot",
    "barrier": "tokens after the snapshot, bounded",
    "open_tags": "tokens after the snapshot",
    "answer_checked": "an early answer, tokens after the snapshot",
    "answer_once": "an early answer, shared",
    "open_at_join": "a connection is cut, tokens after the snapshot",
    "clean_session": "a cold start, a reader beside the writer",
    "share_fresh": "a shared load",
    "epoch": "Redis fails over",
    "epoch_wait": "Redis starts again",
    "quarantine": "Redis starts again, the writer is killed",
    "lock_first": "Redis starts again, the writer is killed",
    "run_ids": "Cluster, a node starts again, the writer is killed",
    "epoch_of_all": "Cluster, a node fails over",
    "own_epoch": "Cluster, a node fails over",
    "distrust": "Redis hangs",
    "outbox_barrier": "Redis hangs",
    "drain_waits": "Redis hangs, two drain",
    "last_try": "Redis hangs",
    "wait_from_failure": "Redis hangs",
}
