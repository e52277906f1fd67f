"""A plan: the steps that changes take on a database as it is now, each with what takes it back."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, replace

from psycopg import errors

from pitstop.errors import ChangeRefused
from pitstop.schema.change import (
    Analyze,
    AttachIndex,
    Change,
    CreateExtension,
    CreateIndex,
    DropIndex,
    ReindexIndex,
)
from pitstop.schema.name import Name, child_name, index_name
from pitstop.schema.script import REVERT, Written, parse_change
from pitstop.schema.state import (
    Connection,
    IndexState,
    Shape,
    equal_indexes,
    has_extension,
    has_statistics,
    index_parts,
    index_state,
    partitions,
    rebuild_leftovers,
    shape_as_made,
    table_state,
)
from pitstop.schema.step import State, Step
from pitstop.schema.table_change import (
    CreateStatistics,
    DropStatistics,
    SetOptions,
    SetStatistics,
)
from pitstop.schema.table_step import table_step

__all__ = ["Plan", "make_plan", "reverted"]

_Steps = AsyncIterator[Step]

_LEFT = "a build that was broken off left it invalid"


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps, in their order."""

    steps: tuple[Step, ...]

    @property
    def pending(self) -> tuple[Step, ...]:
        """What is not done yet."""
        return tuple(step for step in self.steps if step.state != "done")

    @property
    def sql(self) -> str:
        """What is not done yet, as a file for ``psql`` or ``pitstop apply --ddl``."""
        return "\n".join(_paragraph(step) for step in self.pending)


async def make_plan(connection: Connection, changes: Iterable[Written]) -> Plan:
    """Look at a database and say what there is to do.

    Args:
        connection: in autocommit mode.
        changes: in the order in which they are to be made.

    Raises:
        ChangeRefused: a change cannot be made safely, or another object has its name.
        ApplyFailed: somebody holds a table locked.
    """
    steps: list[Step] = []
    for each in changes:
        async for step in _steps(connection, each, steps):
            steps.append(step)
    return Plan(tuple(_analyzed_once(steps)))


def reverted(changes: Sequence[Written]) -> list[Written]:
    """What takes changes back, last one first. Extensions stay: others may use them by now.

    Raises:
        ChangeRefused: nobody wrote down what a dropped index was.
    """
    return [back for each in reversed(changes) for back in _taken_back(each)]


def _taken_back(written: Written) -> Iterable[Written]:
    match written.change:
        case CreateIndex() as made:
            named = made if made.name else replace(made, name=index_name(made.table.name, made.rest))
            yield Written(DropIndex(named.index, made_by=named))
        case DropIndex(index=index, leftover=False):
            yield _written_down(written, f"the index {index}")
        case SetOptions(table=table) | SetStatistics(table=table):
            yield _written_down(written, f"set on {table}")
        case CreateStatistics() as made:
            yield Written(DropStatistics(made.named))
        case DropStatistics(name=name):
            yield _written_down(written, f"the statistics {name}")


def _written_down(written: Written, what: str) -> Written:
    if written.revert is None:
        raise ChangeRefused(
            f"nobody wrote down what {what} was: give the output of `pitstop plan`, where a line "
            f"{REVERT.strip()!r} follows each such statement"
        )
    return Written(written.revert, revert=written.change)


async def _steps(connection: Connection, written: Written, before: Sequence[Step]) -> _Steps:
    match written.change:
        case CreateIndex() as change:
            async for step in _creation(connection, change, extensions=_waits_for_extension(before)):
                yield step
        case DropIndex() as change:
            yield await _drop(connection, change, written.revert)
        case ReindexIndex() as change:
            async for step in _rebuilds(connection, change):
                yield step
        case AttachIndex() as change:
            yield await _attachment(connection, change)
        case CreateExtension() as change:
            there = await has_extension(connection, change.name)
            yield Step(change, "done" if there else "to do", "is installed" * there)
        case Analyze() as change:
            table = (await table_state(connection, change.table)).name
            gathered = CreateIndex | CreateStatistics | SetStatistics
            built = any(isinstance(step.change, gathered) and step.state != "done" for step in before)
            yield await _analysis(connection, Analyze(table), built=built)
        case change:
            yield await table_step(connection, change)


async def _creation(connection: Connection, change: CreateIndex, *, extensions: bool) -> _Steps:
    table = await table_state(connection, change.table)
    change = replace(change, table=table.name)
    try:
        shape = await shape_as_made(connection, change)
    except ChangeRefused as error:
        missing = isinstance(error.__cause__, errors.UndefinedObject | errors.UndefinedFunction)
        if not (extensions and missing):
            raise
        yield Step(_named(change), note="checked once the extension is there", revert=_undone(_named(change)))
        return
    if change.name is None:
        same = await equal_indexes(connection, table.name, shape.text)
        if same:
            name = same[0][0]
            yield Step(replace(change, name=name), "done", f"{name} is the same", shape=shape.text)
            return  # its statistics are its maker's business
    expand = _partitioned if table.partitioned and not change.only else _single
    made = [step async for step in expand(connection, _named(change), shape)]
    for step in made:
        yield step
    if shape.has_expressions:
        built = any(step.state != "done" for step in made)
        analysis = await _analysis(connection, Analyze(table.name), built=built)
        if analysis.state != "done":
            yield analysis


async def _single(connection: Connection, change: CreateIndex, shape: Shape) -> _Steps:
    there = await index_state(connection, change.index)
    nothing: tuple[State, str] = ("to do", "")
    state, note = nothing if there is None else _judged(there, change, shape)
    yield Step(change, state, note, _undone(change), shape.text)


def _judged(there: IndexState, change: CreateIndex, shape: Shape) -> tuple[State, str]:
    """Whether what has the name is the index, and in what state."""
    if not there.is_index:
        raise ChangeRefused(f"{change.index} is there and is no index: choose another name")
    if (there.table_schema, there.table_name) != (change.table.schema, change.table.name) or (
        there.shape != shape.text
    ):
        raise ChangeRefused(
            f"{change.index} is there and is another index, which stays as it is: {there.definition}; "
            "choose another name"
        )
    if there.valid:
        return "done", "is there and valid"
    if there.partitioned:
        return "done", "is there and waits for its parts"
    if there.builder is not None:
        raise ChangeRefused(
            f"{change.index} is being built by process {there.builder} of the server: wait for it"
        )
    return "rebuild", _LEFT


async def _partitioned(connection: Connection, change: CreateIndex, shape: Shape) -> _Steps:
    """An index on the empty parent, one beside it on each partition, and all attached to it."""
    parent = replace(change, only=True)
    async for step in _single(connection, parent, shape):
        yield replace(step, revert=DropIndex(parent.index, partitioned=True))
    there = await index_state(connection, parent.index)
    for partition in await partitions(connection, change.table):
        same = await equal_indexes(connection, partition, shape.text)
        if there is not None and there.oid in [owner for _, owner in same]:
            continue
        free = [name for name, owner in same if owner is None]
        name = free[0] if free else child_name(change.index.name, partition.name)
        child = replace(change, table=partition, name=name)
        if not free:
            nested = (await table_state(connection, partition)).partitioned
            async for step in (_partitioned if nested else _single)(connection, child, shape):
                yield replace(step, revert=None)
        yield Step(AttachIndex(parent.index, child.index))


async def _drop(connection: Connection, change: DropIndex, revert: Change | None) -> Step:
    there = await index_state(connection, change.index)
    if there is None:
        return Step(change, "done", "is not there", revert)
    index = Name(there.name, there.schema)
    if not there.is_index:
        raise ChangeRefused(f"{index} is no index")
    if change.made_by is not None:
        table = await table_state(connection, change.made_by.table)
        shape = await shape_as_made(connection, change.made_by)
        if shape.text != there.shape or (there.table_schema, there.table_name) != (
            table.name.schema,
            table.name.name,
        ):
            raise ChangeRefused(f"{index} is another index, which stays as it is: {there.definition}")
        if there.parent is not None:
            return Step(change, "done", "goes with the index that it is a part of")
    if change.leftover:
        return _leftover(replace(change, index=index), there)
    _verify_free(index, there)
    was = revert or parse_change(there.definition or "")
    if isinstance(was, CreateIndex):
        was = replace(was, only=False)
    return Step(DropIndex(index, change.made_by, there.partitioned), revert=was, shape=there.shape)


async def _rebuilds(connection: Connection, change: ReindexIndex) -> _Steps:
    there = await index_state(connection, change.index)
    if there is None or not there.is_index:
        raise ChangeRefused(
            f"there is no index {change.index} in this database; write schema.index if need be"
        )
    for part in await index_parts(connection, Name(there.name, there.schema)):
        state = await index_state(connection, part)
        if state is not None:
            async for step in _rebuild(connection, part, state):
                yield step


async def _rebuild(connection: Connection, index: Name, there: IndexState) -> _Steps:
    """Away with what a broken-off rebuild left; if that was the old index, the new one is in its place."""
    if there.is_exclusion:
        raise ChangeRefused(
            f"{index} serves an exclusion constraint: postgresql cannot rebuild it beside writers"
        )
    left = await rebuild_leftovers(connection, there)
    builder = next((each.builder for each in (there, *left) if each.builder is not None), None)
    if builder is not None:
        raise ChangeRefused(f"{index} is being built by process {builder} of the server: wait for it")
    for each in left:
        yield Step(DropIndex(Name(each.name, each.schema), leftover=True), note=_LEFT, shape=each.shape)
    swapped = any("_ccold" in each.name for each in left)
    done: tuple[State, str] = ("done", "was built anew before it was broken off")
    yield Step(ReindexIndex(index), *(done if swapped and there.valid else ("to do", "")), shape=there.shape)


def _leftover(change: DropIndex, there: IndexState) -> Step:
    """An index that was invalid when somebody looked: dropped if it still is, and of no use to anybody."""
    reason = (
        "is valid by now"
        if there.valid
        else "waits for its parts"
        if there.partitioned
        else f"is being built by process {there.builder}"
        if there.builder is not None
        else f"the constraint {there.constraint_name} needs it"
        if there.constraint_name is not None
        else ""
    )
    if reason:
        return Step(change, "done", f"{reason}, and stays")
    return Step(change, note=_LEFT, shape=there.shape)


def _verify_free(index: Name, there: IndexState) -> None:
    """That nothing but speed depends on an index."""
    if there.constraint_name is not None:
        raise ChangeRefused(
            f"the constraint {there.constraint_name} needs {index}: drop the constraint instead"
        )
    if there.is_identity:
        raise ChangeRefused(
            f"replication knows the rows by {index}: change REPLICA IDENTITY of the table first"
        )
    if there.parent is not None:
        raise ChangeRefused(f"{index} is a part of a partitioned table's index: drop that one")
    if there.builder is not None:
        raise ChangeRefused(f"{index} is being built by process {there.builder} of the server: wait for it")


async def _attachment(connection: Connection, change: AttachIndex) -> Step:
    parent = await index_state(connection, change.parent)
    child = await index_state(connection, change.child)
    attached = parent is not None and child is not None and child.parent == parent.oid
    return Step(change, "done" if attached else "to do", "is attached" * attached)


async def _analysis(connection: Connection, change: Analyze, *, built: bool) -> Step:
    if not built and await has_statistics(connection, change.table):
        return Step(change, "done", "has its statistics")
    return Step(change, note="what an expression or CREATE STATISTICS needs is not known before")


def _named(change: CreateIndex) -> CreateIndex:
    return change if change.name else replace(change, name=index_name(change.table.name, change.rest))


def _undone(change: CreateIndex) -> DropIndex:
    return DropIndex(change.index, partitioned=change.only)


def _waits_for_extension(steps: Sequence[Step]) -> bool:
    return any(isinstance(step.change, CreateExtension) and step.state == "to do" for step in steps)


def _analyzed_once(steps: list[Step]) -> Iterable[Step]:
    """Each table's statistics are gathered once, after its last index."""
    for number, step in enumerate(steps):
        again = any(later.change == step.change for later in steps[number + 1 :])
        if not (again and isinstance(step.change, Analyze)):
            yield step


def _paragraph(step: Step) -> str:
    lines = [f"-- {step.note}"] if step.note else []
    if step.state == "rebuild" and isinstance(step.change, CreateIndex):
        lines.append(f"{DropIndex(step.change.index).sql};")
    lines.append(f"{step.change.sql};")
    if step.revert is not None:
        lines += [f"{REVERT}{line}" for line in f"{step.revert.sql};".splitlines()]
    return "\n".join([*lines, ""])
