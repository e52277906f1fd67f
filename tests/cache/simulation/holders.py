"""What the coherence thread of a process does: log, acknowledge, renew, reconnect, join."""

from collections.abc import Iterator

from tests.cache.simulation.server import with_epoch, with_epoch_of
from tests.cache.simulation.world import (
    AGAIN,
    ANNOUNCE,
    ANNOUNCED,
    AWAY,
    BARRIER,
    CUT,
    FENCING,
    INSERTED,
    JOINED,
    LOG,
    NOTICED,
    ON,
    PASSED,
    PONG,
    READY,
    RELEASED,
    REMOVED,
    RENEWED,
    RETIRED,
    UNFENCED,
    UP,
    Process,
    Redis,
    Setup,
    Step,
    World,
    put,
)


def forget(world: World, at: int, process: Process, setup: Setup) -> World:
    """The log takes a change: what is in memory and what is being loaded is not "unchanged" any more."""
    readers = tuple(
        reader._replace(fresh=0) if reader.fresh and setup.readers[index][0] == at else reader
        for index, reader in enumerate(world.readers)
    )
    process = process._replace(memory=-1)
    return world._replace(readers=readers, processes=put(world.processes, at, process))


def log_announcement(world: World, at: int, writer: int, setup: Setup) -> World:
    """Rule `open_tags`: the tag is changed, and stays so until the release was heard or FENCE has passed."""
    process = world.processes[at]
    if setup.writers[writer][1] == "other" or process.connection == RETIRED:
        return world
    if setup.rules.open_tags and (setup.writers[writer][1] != "manual" or setup.rules.fence_by_hand):
        process = process._replace(open=put(process.open, writer, setup.fence))
    return forget(world, at, process, setup)


def log_release(world: World, at: int, writer: int, setup: Setup) -> World:
    """The release was heard: one more change (the announcement may have been before we joined); closed."""
    process = world.processes[at]
    if process.connection == RETIRED:
        return world
    return forget(world, at, process._replace(open=put(process.open, writer, 0)), setup)


def acknowledge(world: World, at: int, writer: int) -> World:
    """Tell the writer; an acknowledgement that takes long is the same as one that is sent late."""
    record = world.writers[writer]
    if not record.listed & 1 << at:
        return world
    record = record._replace(listed=record.listed & ~(1 << at))
    return world._replace(writers=put(world.writers, writer, record))


def steps(world: World, setup: Setup, at: int) -> Iterator[Step]:
    """Every step that the coherence thread of one process can take now."""
    process = world.processes[at]
    if process.life == UP and process.connection == RETIRED and process.view < 0:
        yield join_without_memory(world, setup, at, process)
    if process.life != UP or process.connection == RETIRED:
        return
    if process.queue:
        yield read(world, setup, at, process)
    if process.connection == CUT:
        yield notice(world, setup, at, process)
    if not world.redis.up:
        return
    if world.redis.quarantine and process.awaited and process.connection == ON and process.joined:
        yield from settle(world, setup, at, process)
    if process.connection == NOTICED:
        view = world.redis.run if setup.cluster else 0
        changed = process._replace(connection=ON, queue=(), joined=0, asked=-1, view=view)
        yield f"P{at} subscribes", world._replace(processes=put(world.processes, at, changed))
    elif process.connection == ON and process.asked < 0 and process.lease < setup.lease:
        yield renew(world, setup, at, process) if process.joined else join(world, setup, at, process)


def settle(world: World, setup: Setup, at: int, process: Process) -> Iterator[Step]:
    """Under a new epoch: look which commits are under way in the database, and wait until they have ended."""
    under_way = sum(1 << index for index in range(len(world.writers)) if commits(world, setup, index))
    if process.awaited >= 0:
        under_way &= process.awaited
    if under_way == process.awaited:
        return
    process = process._replace(awaited=under_way)
    if under_way:
        yield (
            f"P{at} sees commits under way",
            world._replace(processes=put(world.processes, at, process)),
        )
    else:
        yield f"P{at} sees no commit under way", forget(world, at, process, setup)


def commits(world: World, setup: Setup, at: int) -> bool:
    """Whether a transaction holds the lock of those that commit. Rule `lock_first`: from before its fence."""
    before = (FENCING, ANNOUNCED) if setup.rules.lock_first else ()
    locked = (*before, READY, AWAY, INSERTED, UNFENCED)
    return world.writers[at].phase in locked and setup.writers[at][1] != "manual"


def notice(world: World, setup: Setup, at: int, process: Process) -> Step:
    """The connection is found cut. Rule `forget_when_joined`: to void memory now would be too early."""
    process = process._replace(connection=NOTICED)
    if setup.cluster:  # the lease ends before it asks which servers are there now
        process = process._replace(lease=0)
    if setup.rules.forget_when_joined:
        return f"P{at} notices the cut", world._replace(processes=put(world.processes, at, process))
    return f"P{at} notices the cut and voids its memory", forget(world, at, process, setup)


def join(world: World, setup: Setup, at: int, process: Process) -> Step:
    """Become a holder under a new id, after SUBSCRIBE on the same connection, and learn what is open."""
    world = spared(world, at)
    redis = with_epoch(world.redis, setup)
    if setup.cluster:
        redis = with_epoch_of(redis, setup, process.view)
        process = process._replace(epoch=redis.epoch, awaited=-1)
    redis = redis._replace(holders=put(redis.holders, at, 1))
    process = process._replace(
        asked=setup.lease,
        queue=(*process.queue, (JOINED, 0)),
        open=open_tags(redis, process, setup),
    )
    return f"P{at} joins", world._replace(redis=redis, processes=put(world.processes, at, process))


def join_without_memory(world: World, setup: Setup, at: int, process: Process) -> Step:
    """A process that keeps nothing trusts the servers that are there now; of its lease no trace is needed."""
    redis = with_epoch_of(world.redis, setup, world.redis.run)
    process = process._replace(view=redis.run, epoch=redis.epoch)
    return f"P{at} joins anew", world._replace(redis=redis, processes=put(world.processes, at, process))


def open_tags(redis: Redis, process: Process, setup: Setup) -> tuple[int, ...]:
    """Rule `open_at_join`: fences announced before and not released."""
    if not setup.rules.open_at_join or not setup.rules.open_tags:
        return process.open
    return tuple(map(max, process.open, redis.fences))


def spared(world: World, at: int) -> World:
    """Writers that wait for this holder will not remove it: it has renewed, or has a new id."""
    writers = world.writers
    for index, writer in enumerate(writers):
        if writer.phase in (ANNOUNCED, AGAIN) and writer.listed & 1 << at:
            writers = put(writers, index, writer._replace(renewed=writer.renewed | 1 << at))
    return world._replace(writers=writers)


def renew(world: World, setup: Setup, at: int, process: Process) -> Step:
    """A renewal reaches Redis; the reply stands behind what was published before."""
    holder = world.redis.holders[at] and (not setup.cluster or process.epoch == world.redis.epoch)
    reply = RENEWED if holder else REMOVED
    process = process._replace(asked=setup.lease, queue=(*process.queue, (reply, 0)))
    world = spared(world, at) if holder else world
    world = world._replace(processes=put(world.processes, at, process))
    return f"P{at} renews its lease", world


def read(world: World, setup: Setup, at: int, process: Process) -> Step:
    """Read the next message of the coherence connection."""
    (kind, who), rest = process.queue[0], process.queue[1:]
    process = process._replace(queue=rest)
    rules = setup.rules
    if kind in (RENEWED, JOINED):
        lease = process.asked if rules.lease_from_sending else setup.lease
        process = process._replace(lease=lease, asked=-1, joined=1)
        if kind == JOINED and rules.forget_on_reconnect and rules.forget_when_joined:
            return f"P{at} has joined, its memory is void", forget(world, at, process, setup)
    elif kind == REMOVED:
        process = process._replace(lease=0, asked=-1, joined=0)
        if setup.cluster:  # it asks all nodes again
            process = process._replace(connection=NOTICED, queue=())
        return f"P{at} learns that it was removed", forget(world, at, process, setup)
    elif kind == ANNOUNCE and not rules.ack_after_log:
        process = process._replace(queue=((LOG, who), *rest))
        world = world._replace(processes=put(world.processes, at, process))
        return f"P{at} acknowledges W{who} before its log is written", acknowledge(world, at, who)
    world = world._replace(processes=put(world.processes, at, process))
    if kind == ANNOUNCE:
        return f"P{at} logs and acknowledges W{who}", acknowledge(
            log_announcement(world, at, who, setup), at, who
        )
    if kind == LOG:
        return f"P{at} logs W{who}", log_announcement(world, at, who, setup)
    if kind == RELEASED:
        return f"P{at} hears the release of W{who}", log_release(world, at, who, setup)
    if kind == PONG and world.readers[who].phase == BARRIER:
        reader = world.readers[who]._replace(phase=PASSED)
        return f"R{who} passes the barrier", world._replace(readers=put(world.readers, who, reader))
    return f"P{at} reads the reply to its renewal", world
