"""Time and what goes wrong: each fault uses up one of the setup's budget."""

from collections.abc import Iterator

from tests.cache.simulation.holders import forget
from tests.cache.simulation.world import (
    ABORTED,
    AGAIN,
    ANNOUNCED,
    COMMITTED,
    CUT,
    DEAD,
    DISTRUST,
    ENDED,
    FENCED,
    FENCING,
    FROZEN,
    INSERTED,
    MISSING,
    ON,
    READY,
    RETIRED,
    TOLD,
    UNFENCED,
    UP,
    WROTE,
    Process,
    Setup,
    Step,
    World,
    Writer,
    put,
    retired,
)

OPEN_TRANSACTION = (WROTE, FENCING, ANNOUNCED, READY, INSERTED, UNFENCED)


def less(left: int) -> int:
    """One tick less."""
    return left - 1 if left > 0 else left


def tick(world: World, setup: Setup) -> World:
    """A tick passes for every clock, frozen processes included."""
    redis = world.redis
    fences = tuple(map(less, redis.fences))
    token = MISSING if redis.token == FENCED and not any(fences) else redis.token
    redis = redis._replace(
        fences=fences, token=token, young=less(redis.young), quarantine=less(redis.quarantine)
    )
    processes = tuple(
        process if process.connection == RETIRED else older(process, setup) for process in world.processes
    )
    writers = tuple(waited(writer, setup) for writer in world.writers)
    before = world.processes
    world = world._replace(redis=redis, processes=processes, writers=writers)
    for index, process in enumerate(processes):
        if process.trust == DISTRUST and world.database.taken == index + 1:
            world = world._replace(database=world.database._replace(taken=0))
        if 1 in before[index].open:
            world = forget(world, index, process, setup)
    return settle(world, setup)


def older(process: Process, setup: Setup) -> Process:
    """Rule `distrust`: with the lease ends the trust in Redis and any drain under way."""
    lease, asked, opened = process.lease, process.asked, process.open
    if any(opened):
        opened = tuple(map(less, opened))
    trust = process.trust
    if lease == 1 and setup.outbox and setup.rules.distrust:
        trust = DISTRUST
    return process._replace(lease=less(lease), asked=less(asked), open=opened, trust=trust)


def waited(writer: Writer, setup: Setup) -> Writer:
    """Rule `idle_timeout`: PostgreSQL rolls back a transaction that is idle for half the fence."""
    if not (writer.wait or writer.idle or writer.doubt):
        return writer
    phase = writer.phase
    if writer.idle == 1 and setup.rules.idle_timeout and phase in OPEN_TRANSACTION:
        phase = ABORTED
    return writer._replace(
        phase=phase, wait=less(writer.wait), idle=less(writer.idle), doubt=less(writer.doubt)
    )


def settle(world: World, setup: Setup) -> World:
    """A killed writer's commit counts when its fence has run out; elsewhere (bounded) a lease later."""
    newest, settled = world.database.acknowledged, world.database.settled
    for index, writer in enumerate(world.writers):
        if not writer.version or writer.doubt:
            continue
        if world.processes[setup.writers[index][0]].life == DEAD and writer.phase in (COMMITTED, TOLD, AGAIN):
            newest = max(newest, writer.version)
        if writer.version <= newest:
            settled = max(settled, writer.version)
    if (newest, settled) == (world.database.acknowledged, world.database.settled):
        return world
    return world._replace(database=world.database._replace(acknowledged=newest, settled=settled))


def steps(world: World, setup: Setup) -> Iterator[Step]:
    """Time, repairs, and the faults that the setup allows."""
    yield "a tick passes", tick(world, setup)
    if not world.redis.up:
        yield "Redis answers again", world._replace(redis=world.redis._replace(up=1))
    for at, process in enumerate(world.processes):
        if process.life == FROZEN:
            yield f"P{at} thaws", with_process(world, at, process._replace(life=UP))
    if world.faults:
        world = world._replace(faults=world.faults - 1)
        yield from process_faults(world, setup)
        yield from redis_faults(world, setup)


def with_process(world: World, at: int, process: Process) -> World:
    """The world with one process replaced."""
    return world._replace(processes=put(world.processes, at, process))


def process_faults(world: World, setup: Setup) -> Iterator[Step]:
    """A process is frozen or killed, or its coherence connection is cut without its noticing."""
    for at, process in enumerate(world.processes):
        idle = process.connection == RETIRED and not any(owner == at for owner, _ in setup.writers)
        if process.life != UP or idle:
            continue
        if "freeze" in setup.faults:
            yield f"P{at} is frozen", with_process(world, at, process._replace(life=FROZEN))
        if "kill" in setup.faults:
            yield f"P{at} is killed", killed(world, setup, at, process)
        if process.connection == ON and "cut" in setup.faults:
            cut = process._replace(connection=CUT, queue=())
            yield f"the coherence connection of P{at} is cut", with_process(world, at, cut)


def killed(world: World, setup: Setup, at: int, process: Process) -> World:
    """SIGKILL: what it had open in the database is rolled back."""
    dead = retired(DEAD, (0,) * len(world.writers), process.trust)
    writers = tuple(
        orphaned(writer, setup) if setup.writers[index][0] == at else writer
        for index, writer in enumerate(world.writers)
    )
    redis = world.redis._replace(holders=put(world.redis.holders, at, 0))
    world = world._replace(redis=redis)
    database = world.database
    if database.taken == at + 1:
        database = database._replace(taken=0)
    return with_process(world._replace(writers=writers, database=database), at, dead)


def orphaned(writer: Writer, setup: Setup) -> Writer:
    """The writer of a killed process: rolled back, or committed and in doubt until its fence has run out."""
    if writer.phase in OPEN_TRANSACTION and not writer.version:
        return Writer(ENDED)
    return Writer(writer.phase, version=writer.version, doubt=setup.fence)


def redis_faults(world: World, setup: Setup) -> Iterator[Step]:
    """Redis hangs, evicts the token, starts again empty, or fails over to a replica that lags."""
    redis = world.redis
    nobody = (0,) * len(redis.fences)
    if "hang" in setup.faults and redis.up:
        yield "Redis hangs", world._replace(redis=redis._replace(up=0))
    if "evict" in setup.faults and redis.token != FENCED:
        gone = redis._replace(token=MISSING, counter=0)
        yield "Redis evicts the token", world._replace(redis=gone)
    if "evict" in setup.faults and redis.token == FENCED and not setup.rules.fence_is_kept:
        gone = redis._replace(token=MISSING, counter=0, fences=nobody)
        yield "Redis evicts the fenced token", world._replace(redis=gone)
    if "node restart" in setup.faults and redis.run == 0:
        lost = redis._replace(run=1, token=MISSING, counter=0, fences=nobody, value=None)
        yield "the node of the tag starts again, empty", world._replace(redis=lost)
    if "node failover" in setup.faults and redis.run == 0:
        lost = redis._replace(run=1, token=1, counter=1, fences=nobody, value=(0, 1, 0))
        yield "the node of the tag fails over to a replica of the beginning", world._replace(redis=lost)
    if "restart" in setup.faults and redis.run == 0:
        fresh = redis._replace(
            run=1,
            epoch=-1 if setup.rules.epoch else 0,
            token=MISSING,
            counter=0,
            fences=nobody,
            value=None,
            holders=(0,) * setup.processes,
        )
        yield "Redis starts again, empty", disconnected(world._replace(redis=fresh))
    if "failover" in setup.faults and redis.run == 0:
        old = redis._replace(
            run=1,
            token=1,
            counter=1,
            fences=nobody,
            value=(0, 1, 0),
            holders=tuple(int(each.connection != RETIRED) for each in world.processes),
        )
        yield "Redis fails over to a replica of the beginning", disconnected(world._replace(redis=old))


def disconnected(world: World) -> World:
    """Every coherence connection ends with the server it was to."""
    processes = tuple(
        process if process.connection == RETIRED else process._replace(connection=CUT, queue=())
        for process in world.processes
    )
    return world._replace(processes=processes)
