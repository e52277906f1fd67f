"""What Redis does: tokens, fences, pushes, the epoch; in a Cluster on two nodes."""

from tests.cache.simulation.world import (
    CUT,
    FENCED,
    MISSING,
    ON,
    RETIRED,
    Process,
    Redis,
    Setup,
    World,
    put,
)


def with_epoch(redis: Redis, setup: Setup) -> Redis:
    """Rule `epoch`: whoever finds an epoch made under another run id replaces it, voiding all values."""
    if setup.cluster or redis.epoch == redis.run or not setup.rules.epoch:
        return redis
    return next_epoch(redis, setup, redis.run)


def with_epoch_of(redis: Redis, setup: Setup, view: int) -> Redis:
    """Rule `epoch_of_all`, in a Cluster: who joins has asked all nodes, and replaces an epoch of others."""
    if redis.begun == view or not setup.rules.epoch_of_all:
        return redis
    return next_epoch(redis, setup, redis.epoch + 1)._replace(begun=view)


def next_epoch(redis: Redis, setup: Setup, epoch: int) -> Redis:
    """All values are void; fences and holders of the former one may not be known any more."""
    quarantine = setup.fence if setup.rules.quarantine else 0
    young = setup.lease if setup.rules.epoch_wait else 0
    return redis._replace(epoch=epoch, young=young, quarantine=quarantine)


def fresh_token(world: World) -> int:
    """Rule `random_tokens`: a token that nobody remembers."""
    known = {reader.token for reader in world.readers}
    if world.redis.value:
        known.add(world.redis.value[1])
    known.add(world.redis.token)
    token = 1
    while token in known:
        token += 1
    return token


def with_new_token(world: World, redis: Redis, setup: Setup) -> Redis:
    """Replace the token (not called while a live fence is on it, unless by a planted bug)."""
    if setup.rules.random_tokens:
        return redis._replace(token=fresh_token(world))
    return redis._replace(token=redis.counter + 1, counter=redis.counter + 1)


def with_token(world: World, redis: Redis, setup: Setup) -> Redis:
    """A reader's SET NX of a missing token."""
    return with_new_token(world, redis, setup) if redis.token == MISSING else redis


def with_fence(redis: Redis, writer: int, setup: Setup) -> Redis:
    """Rule `keep_others_fence`: add the writer's own fence to those on the token."""
    fences = redis.fences if setup.rules.keep_others_fence else (0,) * len(redis.fences)
    return redis._replace(token=FENCED, fences=put(fences, writer, setup.fence))


def without_fence(world: World, redis: Redis, writer: int, setup: Setup) -> Redis:
    """Rule `release_own_only`: take away the own fence; a new token when no live fence is left."""
    own = setup.rules.release_own_only
    fences = put(redis.fences, writer, 0) if own else (0,) * len(redis.fences)
    redis = redis._replace(fences=fences)
    return redis if any(fences) else with_new_token(world, redis, setup)


def readable(redis: Redis, setup: Setup) -> bool:
    """Whether a reader would now take the value in Redis for valid."""
    value = redis.value
    if value is None or not redis.up or redis.token <= MISSING or value[1] != redis.token:
        return False
    if setup.cluster:
        return value[2] == redis.epoch
    return not setup.rules.epoch or value[2] == redis.epoch == redis.run


def strange(world: World, setup: Setup, at: int) -> bool:
    """Rule `run_ids`: whether the tag's node is not the one that a process has trusted when it joined."""
    return setup.cluster and setup.rules.run_ids and world.processes[at].view != world.redis.run


def may_look(world: World, setup: Setup, at: int) -> bool:
    """Whether in a Cluster a process that reads now has trusted what is there, and is of its epoch."""
    process = world.processes[at]
    if not setup.cluster:
        return True
    joined = process.lease or process.connection == RETIRED
    return bool(joined) and process.epoch == world.redis.epoch and not strange(world, setup, at)


def met(world: World, at: int) -> World:
    """A process has met a stranger: its lease is not renewed, it joins anew."""
    process = world.processes[at]._replace(view=-1)
    if process.connection == ON:
        process = process._replace(connection=CUT, queue=())
    return world._replace(processes=put(world.processes, at, process))


def published(processes: tuple[Process, ...], kind: int, writer: int, but: int) -> tuple[Process, ...]:
    """PUBLISH: a push into the connection of every subscriber but the publisher's own process."""
    return tuple(
        process._replace(queue=(*process.queue, (kind, writer)))
        if process.connection == ON and index != but
        else process
        for index, process in enumerate(processes)
    )
