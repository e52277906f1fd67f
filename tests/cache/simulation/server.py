"""What Redis does: tokens, fences, pushes, the epoch."""

from tests.cache.simulation.world import (
    FENCED,
    MISSING,
    ON,
    Process,
    Redis,
    Setup,
    World,
    put,
)


def with_epoch(redis: Redis, setup: Setup) -> Redis:
    """Rule `epoch`: whoever finds an epoch made under another run id replaces it, voiding all values."""
    if redis.epoch == redis.run or not setup.rules.epoch:
        return redis
    quarantine = setup.fence if setup.rules.quarantine else 0
    young = setup.lease if setup.rules.epoch_wait else 0
    return redis._replace(epoch=redis.run, young=young, quarantine=quarantine)


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
    return not setup.rules.epoch or value[2] == redis.epoch == redis.run


def published(processes: tuple[Process, ...], kind: int, writer: int, but: int) -> tuple[Process, ...]:
    """PUBLISH: a push into the connection of every subscriber but the publisher's own process."""
    return tuple(
        process._replace(queue=(*process.queue, (kind, writer)))
        if process.connection == ON and index != but
        else process
        for index, process in enumerate(processes)
    )
