"""What a writer does: fence, announce, wait, COMMIT, release; and an invalidation by hand."""

from collections.abc import Iterator

from tests.cache.simulation.holders import log_announcement, log_release
from tests.cache.simulation.server import (
    met,
    published,
    strange,
    with_epoch,
    with_fence,
    with_new_token,
    without_fence,
)
from tests.cache.simulation.world import (
    ABORTED,
    AGAIN,
    ANNOUNCE,
    ANNOUNCED,
    AWAY,
    COMMITTED,
    DISTRUST,
    ENDED,
    FENCED,
    FENCING,
    IDLE,
    INSERTED,
    READY,
    RELEASED,
    TOLD,
    UNFENCED,
    UP,
    WROTE,
    Setup,
    Step,
    World,
    Writer,
    put,
)

ALL_UNKNOWN = 1 << 30  # holders that this server does not know: only time answers for them


def steps(world: World, setup: Setup, at: int) -> Iterator[Step]:
    """Every step that one writer can take now."""
    writer = world.writers[at]
    if world.processes[setup.writers[at][0]].life != UP or writer.phase == ENDED:
        return
    if setup.writers[at][1] == "manual":
        yield from manual_steps(world, setup, at, writer)
    else:
        yield from commit_steps(world, setup, at, writer)


def commit_steps(world: World, setup: Setup, at: int, writer: Writer) -> Iterator[Step]:
    """A transaction."""
    phase, up = writer.phase, world.redis.up
    if phase in (WROTE, TOLD, ABORTED) and strange(world, setup, setup.writers[at][0]):
        yield f"W{at} meets a stranger", met(world, setup.writers[at][0])
    elif phase == IDLE:
        yield write(world, setup, at, writer)
    elif phase == WROTE and not setup.rules.fence:
        yield commit(world, setup, at, writer)
    elif phase == WROTE and up:
        yield fence(world, setup, at, writer)
    elif phase == WROTE and setup.outbox:
        yield fail_to_fence(world, setup, at, writer)
    elif phase == FENCING and up:
        yield announce(world, setup, at, writer, ANNOUNCED)
    elif phase in (ANNOUNCED, AGAIN) and may_go_on(setup, writer):
        yield stop_waiting(world, setup, at, writer)
    elif phase == READY and setup.writers[at][1] == "rollback":
        yield f"W{at} rolls back", changed(world, at, writer._replace(phase=ABORTED))
    elif phase == READY:
        yield commit(world, setup, at, writer)
    elif phase == COMMITTED:
        yield tell(world, setup, at, writer)
    elif phase in (TOLD, ABORTED) and up:
        yield release(world, setup, at, writer)
    elif phase == AWAY and writer.wait == 0:
        yield insert(world, setup, at, writer)
    elif phase == INSERTED:
        yield last_try(world, setup, at, writer)
    elif phase == UNFENCED:
        yield commit_unfenced(world, setup, at, writer)


def manual_steps(world: World, setup: Setup, at: int, writer: Writer) -> Iterator[Step]:
    """Rule `fence_by_hand`: invalidate by hand goes the way of a writer, without a COMMIT.

    Rule `replace_first` holds where tags are always known before the load: a token, then the announcement.
    """
    phase, up, rules = writer.phase, world.redis.up, setup.rules
    first = rules.replace_first or rules.fence_by_hand
    if phase == IDLE:
        yield find_commit(world, at, writer._replace(phase=WROTE if first else FENCING))
    elif phase == WROTE and up and rules.fence_by_hand:
        yield fence(world, setup, at, writer)
    elif phase == WROTE and up:
        yield replace_token(world, setup, at, writer._replace(phase=FENCING if first else ENDED))
    elif phase == FENCING and up:
        yield announce(world, setup, at, writer, ANNOUNCED)
    elif phase == ANNOUNCED and may_go_on(setup, writer):
        label, world = stop_waiting(world, setup, at, writer)
        after = READY if first else WROTE
        yield label, changed(world, at, world.writers[at]._replace(phase=after))
    elif phase == READY and not rules.fence_by_hand:
        yield f"W{at} returns", acknowledged(world, setup, at, writer._replace(phase=ENDED))
    elif phase == READY and up:
        label, world = release(world, setup, at, writer)
        yield f"{label} and returns", acknowledged(world, setup, at, world.writers[at])


def find_commit(world: World, at: int, writer: Writer) -> Step:
    """Somebody who does not take part has committed."""
    version = world.database.version + 1
    world = world._replace(database=world.database._replace(version=version))
    return f"W{at} finds a commit made elsewhere", changed(world, at, writer._replace(version=version))


def changed(world: World, at: int, writer: Writer) -> World:
    """The world with one writer replaced."""
    return world._replace(writers=put(world.writers, at, writer))


def write(world: World, setup: Setup, at: int, writer: Writer) -> Step:
    """Flush; rows are written, nothing is committed."""
    world = changed(world, at, writer._replace(phase=WROTE))
    if not setup.rules.own_log_after_fence:
        world = log_announcement(world, setup.writers[at][0], at, setup)
    return f"W{at} writes", world


def fence(world: World, setup: Setup, at: int, writer: Writer) -> Step:
    """SET LOCAL idle_in_transaction_session_timeout, then the fence, then the own log."""
    redis = with_epoch(world.redis, setup)
    process, kind = setup.writers[at]
    if kind != "other":
        redis = with_fence(redis, at, setup)
    idle = setup.fence // 2 if kind != "manual" else 0
    writer = writer._replace(phase=FENCING, idle=idle, wait=setup.lease)
    world = changed(world._replace(redis=redis), at, writer)
    if setup.rules.own_log_after_fence:
        world = log_announcement(world, process, at, setup)
    return f"W{at} fences (and sends its announcement)", world


def announce(world: World, setup: Setup, at: int, writer: Writer, phase: int) -> Step:
    """One script: who holds a lease, and the push to all of them."""
    own = setup.writers[at][0]
    redis = with_epoch(world.redis, setup)
    listed = sum(1 << index for index, holder in enumerate(redis.holders) if holder and index != own)
    if redis.young:
        listed |= ALL_UNKNOWN
    wait = setup.lease if setup.rules.wait_from_reply or phase == AGAIN else writer.wait
    writer = writer._replace(phase=phase, listed=listed, renewed=0, wait=wait)
    processes = published(world.processes, ANNOUNCE, at, own)
    world = changed(world._replace(redis=redis, processes=processes), at, writer)
    if setup.writers[at][1] == "manual" and not setup.rules.fence_by_hand:
        world = log_announcement(world, own, at, setup)
    return f"W{at} announces", world


def may_go_on(setup: Setup, writer: Writer) -> bool:
    """Rule `wait_for_acks`: every listed holder has answered, or a whole lease has passed."""
    waits = setup.strict and setup.rules.wait_for_acks
    return not waits or writer.listed == 0 or writer.wait == 0


def stop_waiting(world: World, setup: Setup, at: int, writer: Writer) -> Step:
    """Rule `remove_if_silent`: those that neither acknowledged nor renewed are holders no more."""
    silent = writer.listed & ~writer.renewed if setup.rules.remove_if_silent else writer.listed
    waited = setup.strict and writer.wait == 0 and world.redis.up
    if waited and silent:
        holders = tuple(
            0 if silent & 1 << index else holder for index, holder in enumerate(world.redis.holders)
        )
        world = world._replace(redis=world.redis._replace(holders=holders))
    phase = {ANNOUNCED: READY, AGAIN: ENDED}.get(writer.phase, writer.phase)
    ends = phase == ENDED and setup.told_after_release
    writer = writer._replace(phase=phase, listed=0, renewed=0, wait=0)
    world = acknowledged(world, setup, at, writer) if ends else changed(world, at, writer)
    return f"W{at} has waited for the holders", world


def commit(world: World, setup: Setup, at: int, writer: Writer) -> Step:
    """COMMIT at the database, which the writer does not know yet."""
    version = world.database.version
    if setup.writers[at][1] != "other":
        version += 1
    world = world._replace(database=world.database._replace(version=version))
    return f"W{at} is committed: version {version}", changed(
        world, at, writer._replace(phase=COMMITTED, version=version, idle=0)
    )


def tell(world: World, setup: Setup, at: int, writer: Writer) -> Step:
    """The reply to COMMIT; reads from now on must see it, unless the caller is told after the release."""
    writer = writer._replace(phase=TOLD)
    if setup.told_after_release:
        return f"W{at} knows of its commit", changed(world, at, writer)
    return f"W{at} is acknowledged", acknowledged(world, setup, at, writer)


def acknowledged(world: World, setup: Setup, at: int, writer: Writer) -> World:
    """From now on a read that begins must not be older; in bounded mode elsewhere: a lease from now."""
    newest = max(world.database.acknowledged, writer.version)
    writer = writer._replace(version=0, doubt=0) if setup.strict else writer._replace(doubt=setup.lease)
    world = world._replace(database=world.database._replace(acknowledged=newest))
    return changed(world, at, writer)


def release(world: World, setup: Setup, at: int, writer: Writer) -> Step:
    """Take the fence away and say so. Rule `recheck`: if it was gone, announce again and wait."""
    process, kind = setup.writers[at]
    if kind == "other":
        return f"W{at} ends", changed(world, at, writer._replace(phase=ENDED))
    redis = with_epoch(world.redis, setup)
    gone = redis.fences[at] == 0 and setup.rules.fence
    redis = without_fence(world, redis, at, setup) if not gone else redis
    if gone and redis.token != FENCED:
        redis = with_new_token(world, redis, setup)
    world = world._replace(redis=redis)
    if setup.rules.open_tags:
        world = log_release(world, process, at, setup)
        world = world._replace(processes=published(world.processes, RELEASED, at, process))
    if gone and setup.rules.recheck and writer.phase == TOLD:
        label, world = announce(world, setup, at, writer, AGAIN)
        return f"W{at} misses its fence; {label}", log_announcement(world, process, at, setup)
    writer = writer._replace(phase=ENDED)
    if setup.told_after_release and writer.version:
        return f"W{at} releases and is acknowledged", acknowledged(world, setup, at, writer)
    return f"W{at} releases", changed(world, at, writer)


def replace_token(world: World, setup: Setup, at: int, writer: Writer) -> Step:
    """By hand: a new token, unless a fence is on it (its release will bring one)."""
    redis = with_epoch(world.redis, setup)
    if redis.token != FENCED:
        redis = with_new_token(world, redis, setup)
    world = changed(world._replace(redis=redis), at, writer)
    if writer.phase == ENDED:
        world = acknowledged(world, setup, at, writer)
    return f"W{at} replaces the token", world


def fail_to_fence(world: World, setup: Setup, at: int, writer: Writer) -> Step:
    """Rule `wait_from_failure`: Redis is away; all leases have run out a lease after this moment."""
    own = world.processes[setup.writers[at][0]].lease
    wait = setup.lease if setup.rules.wait_from_failure else own
    return f"W{at} cannot reach Redis", changed(world, at, writer._replace(phase=AWAY, wait=wait))


def insert(world: World, setup: Setup, at: int, writer: Writer) -> Step:
    """The tags go into the outbox; this process does not trust Redis before a drain."""
    own = setup.writers[at][0]
    process = world.processes[own]
    if setup.rules.distrust:
        process = process._replace(trust=DISTRUST, memory=-1)
    world = world._replace(processes=put(world.processes, own, process))
    return f"W{at} inserts its outbox row", changed(world, at, writer._replace(phase=INSERTED))


def last_try(world: World, setup: Setup, at: int, writer: Writer) -> Step:
    """Rule `last_try`: if Redis is back, the normal way; a drain that saw no row has been before this."""
    if world.redis.up and setup.rules.last_try:
        label, world = fence(world, setup, at, writer)
        return f"{label} after all", world
    return f"W{at} fails to fence again", changed(world, at, writer._replace(phase=UNFENCED))


def commit_unfenced(world: World, setup: Setup, at: int, writer: Writer) -> Step:
    """COMMIT with the outbox row instead of a fence."""
    label, world = commit(world, setup, at, writer)
    database = world.database._replace(outbox=1)
    return f"{label}, with its outbox row", world._replace(database=database)
