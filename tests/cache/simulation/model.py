"""The cache's protocol as a state machine: every step that can come next, and what must never be.

What is modelled: one cached key with one tag; PostgreSQL as a count of commits, with snapshots older than
the tokens; Redis with tokens, fences, one value, the epoch, the holders, and one ordered connection for
replies and pushes per process; leases, acknowledgements in transit, change logs, memories; writers, readers,
drains of the outbox. Any process can be frozen or killed between any two steps, a connection cut with its
pushes, Redis can hang, evict, start again empty or fail over to a replica that kept nothing since the
beginning. Time passes in ticks, at any moment, for all clocks at one rate.

In a Cluster one node has the epoch, the holders and the channel, another the token, its fences and the
value: the latter starts again empty or fails over while the former goes on. A reader has the reply of the
first some time before that of the second; who meets a new server asks which are there, then joins anew.

An answer may be given before Redis has the value (as responses are): to the caller, to memory, to who waits.

Where an outbox may be used, memory and Redis are trusted from a drain under a lease until that lease ends.

What is not: clocks of different rates (the real margin is for that), a split brain (two servers at once), a
Cluster whose node with the epoch fails too (all is new then), value and token on different nodes, a database
that a process comes to know only under a new epoch (its fills then need a lease that began after it was
asked), a writer cut off from Redis while readers are not (refused, or the outbox's stated limit), a COMMIT
that PostgreSQL is still executing when its fence has run out, values of several keys. A script and its reply
are one step: a reply that takes long is the same as a later next step.
"""

from collections.abc import Iterator

from tests.cache.simulation import faults, holders, outbox, readers, writers
from tests.cache.simulation.readers import required
from tests.cache.simulation.server import may_look, readable
from tests.cache.simulation.world import (
    RETIRED,
    RETURNED,
    TRUST,
    UP,
    Process,
    Setup,
    Step,
    World,
    put,
    retired,
)


def successors(world: World, setup: Setup) -> Iterator[Step]:
    """Every world that can come next, each with the step that leads there."""
    for at in range(len(world.writers)):
        yield from writers.steps(world, setup, at)
    for at in range(len(world.readers)):
        yield from readers.steps(world, setup, at)
    for at in range(len(world.processes)):
        yield from holders.steps(world, setup, at)
        if setup.outbox:
            yield from outbox.steps(world, setup, at)
    yield from faults.steps(world, setup)


def simplest(world: World, setup: Setup) -> World:
    """The same world for what can still go wrong: a process without memory and without readers retires.

    Its acknowledgements count as given (it may have been quick), so that no behaviour of others is lost.
    """
    for at, process in enumerate(world.processes):
        if process.connection == RETIRED or process.memory >= 0 or setup.outbox:
            continue
        if all(
            reader.phase == RETURNED or owner != at
            for reader, (owner, _) in zip(world.readers, setup.readers, strict=True)
        ):
            world = retire(world, setup, at, process)
    return world


def retire(world: World, setup: Setup, at: int, process: Process) -> World:
    """One process retires."""
    # who has not joined, or has joined another epoch, has yet to do so
    joined = process.joined and process.epoch == world.redis.epoch
    view = process.view if joined or not setup.cluster else -1
    quiet = retired(process.life, (0,) * len(world.writers), process.trust, view, process.epoch)
    bit = 1 << at
    return world._replace(
        processes=put(world.processes, at, quiet),
        redis=world.redis._replace(holders=put(world.redis.holders, at, 0)),
        writers=tuple(
            writer._replace(listed=writer.listed & ~bit, renewed=writer.renewed & ~bit)
            for writer in world.writers
        ),
    )


def violation(world: World, setup: Setup) -> str:
    """What a read that begins in this world could return and must not; empty if there is nothing."""
    if world.broken:
        return world.broken
    version = world.database.version
    for at, process in enumerate(world.processes):
        if process.life != UP:
            continue
        if process.lease and process.memory >= 0 and process.trust == TRUST:
            least = required(world, setup, at)
            if not least <= process.memory <= version:
                return f"P{at} can serve version {process.memory} from memory, {least} was acknowledged"
        if process.trust == TRUST and readable(world.redis, setup) and may_look(world, setup, at):
            assert world.redis.value
            least, found = required(world, setup, at), world.redis.value[0]
            if not least <= found <= version:
                return f"P{at} can serve version {found} from Redis, {least} was acknowledged"
    return ""
