"""What a reader does: look, load, fill."""

from collections.abc import Iterator

from tests.cache.simulation.server import met, readable, strange, with_epoch, with_token
from tests.cache.simulation.world import (
    ANSWERED,
    BARRIER,
    CAPTURED,
    DIRTY,
    EPOCH,
    FENCED,
    FENCING,
    HIT,
    LOADED,
    MISS,
    ON,
    PASSED,
    PONG,
    READY,
    RESTING,
    RETIRED,
    RETURNED,
    SHARING,
    STARTED,
    TRUST,
    UP,
    WROTE,
    Process,
    Reader,
    Redis,
    Setup,
    Step,
    World,
    put,
)

OVER = Reader(phase=RETURNED)
LOADING = (STARTED, EPOCH, MISS, LOADED, ANSWERED, CAPTURED, BARRIER, PASSED)
PROMPT = ("prompt", "prompt_late")


def steps(world: World, setup: Setup, at: int) -> Iterator[Step]:
    """The step that one reader can take now. (For hits in memory `model.violation` looks in every state.)"""
    reader = world.readers[at]
    process, kind = setup.readers[at]
    if world.processes[process].life != UP or reader.phase == RETURNED:
        return
    if reader.phase == RESTING:
        yield begin(world, setup, at)
    elif setup.cluster and reader.phase == STARTED and kind in ("known", "prompt"):
        epoch = world.redis.epoch
        yield f"R{at} reads the epoch", changed(world, at, reader._replace(phase=EPOCH, epoch=epoch))
    elif kind == "joiner":
        yield from joiner_steps(world, setup, at, reader)
    elif reader.phase == LOADED and kind in PROMPT:
        yield answer(world, setup, at, reader)
    elif kind in ("known", "prompt"):
        yield from known_steps(world, setup, at, reader)
    else:
        yield from late_steps(world, setup, at, reader)


def known_steps(world: World, setup: Setup, at: int, reader: Reader) -> Iterator[Step]:
    """Tags are known from the arguments: tokens are read before the snapshot."""
    if reader.phase in (STARTED, EPOCH):
        yield look(world, setup, at, reader)
    elif reader.phase == HIT and setup.cluster and not counts(world, setup, at, reader):
        lost = reader._replace(phase=MISS, token=FENCED)
        yield f"R{at} does not trust its replies", changed(world, at, lost)
    elif reader.phase == HIT:
        yield f"R{at} returns what it found in Redis", returned(world, setup, at, reader, memorise=True)
    elif reader.phase == MISS:
        yield load(world, setup, at, reader)
    elif reader.phase in (LOADED, ANSWERED):
        yield fill(world, setup, at, reader)


def counts(world: World, setup: Setup, at: int, reader: Reader) -> bool:
    """Rule `own_epoch`: replies of several nodes are of several moments; a lease and its epoch join them."""
    process = world.processes[setup.readers[at][0]]
    return bool(process.lease) and (reader.epoch == process.epoch or not setup.rules.own_epoch)


def late_steps(world: World, setup: Setup, at: int, reader: Reader) -> Iterator[Step]:
    """The snapshot is older than the tokens: tags found while loading, or an older transaction."""
    if reader.phase == STARTED:
        yield load(world, setup, at, reader)
    elif reader.phase in (LOADED, ANSWERED):
        yield look(world, setup, at, reader)
    elif reader.phase == CAPTURED:
        yield ping(world, setup, at, reader)
    elif reader.phase == PASSED:
        yield fill(world, setup, at, reader)


def joiner_steps(world: World, setup: Setup, at: int, reader: Reader) -> Iterator[Step]:
    """Waits for the load of the reader before it and returns what that one loaded."""
    other = world.readers[at - 1]
    if setup.readers[at - 1][1] in PROMPT:
        if other.given and not setup.rules.answer_once:
            yield f"R{at} comes after the answer", given(world, setup, at, other.version)
    elif reader.phase == SHARING and other.phase in (LOADED, CAPTURED, BARRIER, PASSED):
        shared = reader._replace(version=other.version)
        yield f"R{at} returns the load of R{at - 1}", returned(world, setup, at, shared, memorise=False)


def changed(world: World, at: int, reader: Reader) -> World:
    """The world with one reader replaced."""
    return world._replace(readers=put(world.readers, at, reader))


def required(world: World, setup: Setup, process: int) -> int:
    """The invariant: the oldest version that a read beginning now in a process may return."""
    database = world.database
    if setup.strict:
        return database.acknowledged
    own = (
        writer.version
        for index, writer in enumerate(world.writers)
        if setup.writers[index][0] == process and writer.version <= database.acknowledged
    )
    return max(database.settled, *own, 0)


def begin(world: World, setup: Setup, at: int) -> Step:
    """The call begins and notes the number of the change log; an open tag is not "unchanged"."""
    process, kind = setup.readers[at]
    least = required(world, setup, process)
    fresh = int(not any(world.processes[process].open))
    reader = Reader(STARTED, fresh=fresh, least=least)
    if kind == "joiner":
        reader = reader._replace(phase=SHARING if may_share(world, setup, at) else RETURNED)
    return f"R{at} begins", changed(world, at, reader)


def may_share(world: World, setup: Setup, at: int) -> bool:
    """Rule `share_fresh`: under a lease the log is complete, and it says that the tag has not changed."""
    other, process = world.readers[at - 1], world.processes[setup.readers[at][0]]
    loading = other.phase in LOADING
    if setup.readers[at - 1][1] in PROMPT:  # the answer, or the end of the load, is looked at
        return loading
    fresh = other.fresh and process.lease and (other.token >= 0)
    return bool(loading and (fresh or not setup.rules.share_fresh))


def look(world: World, setup: Setup, at: int, reader: Reader) -> Step:
    """MGET of value, epoch, token; a missing token is created. Rule `quarantine`: or counts as fenced."""
    late = reader.phase in (LOADED, ANSWERED)
    after = CAPTURED if late else MISS
    owner = setup.readers[at][0]
    if not world.redis.up or world.processes[owner].trust != TRUST:
        return f"R{at} goes past Redis", changed(world, at, reader._replace(phase=after))
    if strange(world, setup, owner):
        world = met(world, owner)
        return f"R{at} meets a stranger", changed(world, at, reader._replace(phase=after, token=FENCED))
    redis = with_epoch(world.redis, setup)
    seen = redis._replace(epoch=reader.epoch) if reader.phase == EPOCH else redis
    if readable(seen, setup) and not late:
        assert redis.value
        hit = reader._replace(phase=HIT, version=redis.value[0], token=redis.token)
        return f"R{at} hits version {hit.version} in Redis", changed(world._replace(redis=redis), at, hit)
    redis = with_token(world, redis, setup)
    process = world.processes[owner]
    other = setup.cluster and seen.epoch != process.epoch
    token = FENCED if other or doubtful(redis, process) else redis.token
    reader = reader._replace(phase=after, token=token, epoch=seen.epoch)
    return f"R{at} reads the token", changed(world._replace(redis=redis), at, reader)


def doubtful(redis: Redis, process: Process) -> bool:
    """Whether under a new epoch commits may be under way that this process has not seen the end of."""
    return bool(redis.quarantine and process.awaited)


def load(world: World, setup: Setup, at: int, reader: Reader) -> Step:
    """The snapshot. Rule `clean_session`: a session with uncommitted writes reads them and never fills."""
    process = setup.readers[at][0]
    version = world.database.version
    for index, writer in enumerate(world.writers):
        writing = writer.phase in (WROTE, FENCING, READY) and setup.writers[index][0] == process
        if writing and not setup.rules.clean_session:
            version = DIRTY
    reader = reader._replace(phase=LOADED, version=version)
    if doubtful(world.redis, world.processes[process]):
        reader = reader._replace(fresh=0)
    return f"R{at} loads version {version}", changed(world, at, reader)


def ping(world: World, setup: Setup, at: int, reader: Reader) -> Step:
    """Rule `barrier`: what was published before this PING has been logged when its reply is read.

    Only on a connection that has joined: pushes lost with the one before are made good when it joins.
    """
    owner = setup.readers[at][0]
    process = world.processes[owner]
    if not setup.rules.barrier:
        return f"R{at} does without the barrier", changed(world, at, reader._replace(phase=PASSED))
    if process.connection != ON or not process.joined or not world.redis.up:
        return f"R{at} has no barrier and does not fill", changed(world, at, OVER)
    process = process._replace(queue=(*process.queue, (PONG, at)))
    world = world._replace(processes=put(world.processes, owner, process))
    return f"R{at} sends its barrier", changed(world, at, reader._replace(phase=BARRIER))


def fill(world: World, setup: Setup, at: int, reader: Reader) -> Step:
    """Into Redis with the captured token, if that is still the one, and into memory as of the beginning."""
    redis, late = world.redis, setup.readers[at][1] in ("late", "prompt_late")
    owner = setup.readers[at][0]
    if reader.token > 0 and strange(world, setup, owner):
        world, reader = met(world, owner), reader._replace(token=FENCED)
    vouched = bool(reader.fresh) or not late or not setup.rules.check_log
    allowed = reader.token > 0 and vouched
    trusts = world.processes[owner].trust == TRUST
    if allowed and trusts and redis.up and redis.token == reader.token and redis.epoch == reader.epoch:
        value = (reader.version, reader.token, reader.epoch)
        world = world._replace(redis=redis._replace(value=value))
    if reader.phase == ANSWERED:
        return f"R{at} fills", filled(world, setup, at, reader, proven=allowed)
    return f"R{at} fills and returns", returned(world, setup, at, reader, memorise=allowed)


def answer(world: World, setup: Setup, at: int, reader: Reader) -> Step:
    """The caller has the value. Rule `answer_checked`: memory and who waits, too, if the log allows it."""
    owner, kind = setup.readers[at]
    process = world.processes[owner]
    shared = bool(reader.fresh and process.lease) or not setup.rules.answer_checked
    if shared and process.trust == TRUST and process.connection != RETIRED:
        process = process._replace(memory=reader.version)
        world = world._replace(processes=put(world.processes, owner, process))
    if kind != "prompt_late" and reader.version < reader.least:
        world = wrong(world, at, reader)
    fresh = reader.fresh if shared else 0
    answered = reader._replace(phase=ANSWERED, fresh=fresh, given=int(shared))
    return f"R{at} returns before it fills", delivered(
        changed(world, at, answered), setup, at, reader.version, shared=shared
    )


def delivered(world: World, setup: Setup, at: int, version: int, *, shared: bool) -> World:
    """Who has waited for a load has its value, or loads for itself (as any other reader)."""
    after = at + 1
    if after == len(setup.readers) or setup.readers[after][1] != "joiner":
        return world
    if world.readers[after].phase != SHARING:
        return world
    return given(world, setup, after, version) if shared else changed(world, after, OVER)


def given(world: World, setup: Setup, at: int, version: int) -> World:
    """Another's value is what a call returns."""
    return returned(world, setup, at, world.readers[at]._replace(version=version), memorise=False)


def filled(world: World, setup: Setup, at: int, reader: Reader, *, proven: bool) -> World:
    """The end of a load that was answered before: memory has it already."""
    shared = bool(proven and reader.fresh and world.processes[setup.readers[at][0]].lease)
    return delivered(changed(world, at, OVER), setup, at, reader.version, shared=shared)


def wrong(world: World, at: int, reader: Reader) -> World:
    """What is returned is older than what was acknowledged before the call."""
    return world._replace(broken=f"R{at} returned version {reader.version}, {reader.least} was acknowledged")


def returned(world: World, setup: Setup, at: int, reader: Reader, memorise: bool) -> World:
    """The call returns; what it returns is held against the invariant."""
    owner, kind = setup.readers[at]
    process = world.processes[owner]
    if memorise and reader.fresh and process.trust == TRUST and process.connection != RETIRED:
        process = process._replace(memory=reader.version)
        world = world._replace(processes=put(world.processes, owner, process))
    if kind not in ("late", "prompt_late") and reader.version < reader.least:
        world = wrong(world, at, reader)
    return changed(world, at, OVER)
