"""The rules of the protocol, each of which can be left out: a rule left out is a planted bug."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rules:
    """All true: the protocol as designed.

    Attributes, tokens and fences:
        fence: fence before COMMIT; without it tokens are replaced after the commit.
        keep_others_fence: a second writer adds its fence to those that stand.
        release_own_only: a release takes away its own fence and no other.
        random_tokens: not counters, which start again after an eviction.
        fence_is_kept: a fenced key cannot be evicted.
        idle_timeout: PostgreSQL ends a transaction that is idle for half the fence.
        recheck: a release that does not find its own fence announces again and waits.
        own_log_after_fence: the writer's process marks its own log when the fence stands, not before.
        fence_by_hand: an invalidation by hand fences as a writer does.
        replace_first: or, without a fence, replaces the token before it announces.
    Attributes, leases and announcements:
        lease_from_sending: a lease counts from when its renewal was sent, not from the reply.
        wait_from_reply: a writer's wait counts from the announcement's reply, not from its sending.
        wait_for_acks: a strict writer waits for them before COMMIT.
        ack_after_log: a holder acknowledges what its log has.
        forget_on_reconnect: memory is void after a reconnect.
        forget_when_joined: and becomes so when the subscription stands, not before.
        remove_if_silent: a holder is removed only if it did not renew after the announcement.
    Attributes, loads:
        check_log: a fill needs "the tag is unchanged since the load began" where tokens came late.
        barrier: and asks the log only after a PING on the coherence connection.
        open_tags: a tag is changed for the log from its announcement until its release was heard.
        clean_session: a session with uncommitted writes does not fill.
        share_fresh: a load is shared only under a lease and while the tag is unchanged since it began.
        open_at_join: who joins is told which tags are open.
        answer_checked: an answer before the fill is kept in memory, and shared, as the log allows.
        answer_once: and given to those who waited for it, not to those who come after it.
    Attributes, faults of Redis:
        epoch: another server, another epoch.
        epoch_wait: a writer waits a whole lease under a new epoch, whoever has acknowledged.
        quarantine: under a new epoch nobody fills before the commits that it saw under way in the database
            have ended, or a fence of the lost server could stand no more.
        lock_first: a writer says in the database that it commits before it fences, not after.
        run_ids: in a Cluster who connects to a server that the epoch was not begun with asks it nothing.
        epoch_of_all: and the epoch is over, although its own node is the same.
        own_epoch: a hit counts only under the epoch that the process has joined when the replies are there.
        distrust: a lapse of the lease ends the trust in Redis; draining the outbox restores it.
        outbox_barrier: a drain first waits for the transactions that are writing to the outbox.
        drain_waits: a drain does not skip rows that another one holds.
        last_try: a writer tries the fence again after its outbox row is inserted.
        wait_from_failure: before COMMIT without a fence, a lease is waited out from the failure on.
    """

    fence: bool = True
    keep_others_fence: bool = True
    release_own_only: bool = True
    random_tokens: bool = True
    fence_is_kept: bool = True
    idle_timeout: bool = True
    recheck: bool = True
    own_log_after_fence: bool = True
    fence_by_hand: bool = True
    replace_first: bool = True
    lease_from_sending: bool = True
    wait_from_reply: bool = True
    wait_for_acks: bool = True
    ack_after_log: bool = True
    forget_on_reconnect: bool = True
    forget_when_joined: bool = True
    remove_if_silent: bool = True
    check_log: bool = True
    barrier: bool = True
    open_tags: bool = True
    open_at_join: bool = True
    clean_session: bool = True
    share_fresh: bool = True
    answer_checked: bool = True
    answer_once: bool = True
    epoch: bool = True
    epoch_wait: bool = True
    quarantine: bool = True
    lock_first: bool = True
    run_ids: bool = True
    epoch_of_all: bool = True
    own_epoch: bool = True
    distrust: bool = True
    outbox_barrier: bool = True
    drain_waits: bool = True
    last_try: bool = True
    wait_from_failure: bool = True
