"""What a process does that does not trust Redis: drain the outbox, then trust."""

from collections.abc import Iterator

from tests.cache.simulation.holders import forget
from tests.cache.simulation.server import published, with_epoch, with_new_token
from tests.cache.simulation.world import (
    DISTRUST,
    FENCED,
    INSERTED,
    LOCKED,
    LOG,
    REPLAYED,
    TAKEN,
    TRUST,
    UNFENCED,
    UP,
    Process,
    Setup,
    Step,
    World,
    put,
)


def steps(world: World, setup: Setup, at: int) -> Iterator[Step]:
    """The next step of a drain. It begins under a lease only."""
    process = world.processes[at]
    if process.life != UP or process.trust == TRUST or not setup.outbox:
        return
    if process.trust == DISTRUST and process.lease and world.redis.up:
        yield from lock(world, setup, at, process)
    elif process.trust == LOCKED:
        yield from take(world, setup, at, process)
    elif process.trust == TAKEN and world.redis.up:
        yield replay(world, setup, at, process)
    elif process.trust == REPLAYED:
        database = world.database._replace(outbox=0, taken=0)
        yield f"P{at} has drained the outbox", trusting(world._replace(database=database), setup, at)


def with_trust(world: World, at: int, process: Process, trust: int) -> World:
    """The world with one process at another stage of its drain."""
    return world._replace(processes=put(world.processes, at, process._replace(trust=trust)))


def trusting(world: World, setup: Setup, at: int) -> World:
    """Trust comes back with an empty memory: the push of another's replay may still be on its way."""
    return forget(world, at, world.processes[at]._replace(trust=TRUST), setup)


def lock(world: World, setup: Setup, at: int, process: Process) -> Iterator[Step]:
    """Rule `outbox_barrier`: LOCK TABLE waits for the transactions that have inserted."""
    if not setup.rules.outbox_barrier or all(
        writer.phase not in (INSERTED, UNFENCED) for writer in world.writers
    ):
        yield f"P{at} begins to drain", with_trust(world, at, process, LOCKED)


def take(world: World, setup: Setup, at: int, process: Process) -> Iterator[Step]:
    """DELETE ... RETURNING. Rule `drain_waits`: not SKIP LOCKED, it waits for another that holds the row."""
    database = world.database
    if database.outbox and not database.taken:
        world = world._replace(database=database._replace(taken=at + 1))
        yield f"P{at} takes the outbox row", with_trust(world, at, process, TAKEN)
    elif not database.outbox or not setup.rules.drain_waits:
        yield f"P{at} finds the outbox empty", trusting(world, setup, at)


def replay(world: World, setup: Setup, at: int, process: Process) -> Step:
    """Invalidate the tag by hand, before the DELETE is committed."""
    redis = with_epoch(world.redis, setup)
    if redis.token != FENCED:
        redis = with_new_token(world, redis, setup)
    world = with_trust(world._replace(redis=redis), at, process, REPLAYED)
    world = forget(world, at, world.processes[at], setup)
    world = world._replace(processes=published(world.processes, LOG, 0, at))
    return f"P{at} replays the outbox row", world
