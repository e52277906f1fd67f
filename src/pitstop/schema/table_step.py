"""What a change of a table takes on a database as it is now."""

from dataclasses import replace
from importlib import resources
from typing import Any

from pitstop.errors import ChangeRefused
from pitstop.schema.name import Name
from pitstop.schema.state import Connection, table_state
from pitstop.schema.step import Step
from pitstop.schema.table_change import (
    CreateStatistics,
    DropStatistics,
    SetOptions,
    SetStatistics,
    TableChange,
    ValidateConstraint,
)

__all__ = ["table_step"]


async def table_step(connection: Connection, change: TableChange) -> Step:
    """The step that a change takes.

    Raises:
        ChangeRefused: there is no such table, column or constraint, or the table cannot have the option.
    """
    match change:
        case SetOptions():
            return await _options(connection, replace(change, table=await _table(connection, change.table)))
        case SetStatistics():
            return await _target(connection, replace(change, table=await _table(connection, change.table)))
        case ValidateConstraint():
            return await _validation(
                connection, replace(change, table=await _table(connection, change.table))
            )
        case CreateStatistics():
            return await _statistics(
                connection, replace(change, table=await _table(connection, change.table))
            )
        case DropStatistics(name):
            row = await _row(connection, "statistics", [name.name, name.schema, name.schema])
            return Step(change) if row else Step(change, "done", "are not there")


async def _table(connection: Connection, table: Name) -> Name:
    return (await table_state(connection, table)).name


async def _options(connection: Connection, change: SetOptions) -> Step:
    if (await table_state(connection, change.table)).partitioned:
        raise ChangeRefused(f"{change.table} is partitioned and has no rows of its own: set its partitions'")
    (told,) = await _row(connection, "table_options", [str(change.table)]) or ([],)
    there = dict(each.split("=", 1) for each in told)
    wanted = {name: value.strip("'").lower() for name, value in change.values}
    if all(there.get(name) == value for name, value in wanted.items()) and not {*change.reset} & {*there}:
        return Step(change, "done", "is set so")
    touched = [*wanted, *change.reset]
    back = SetOptions(
        change.table,
        tuple((name, there[name]) for name in touched if name in there),
        tuple(name for name in touched if name not in there),
    )
    return Step(change, revert=back)


async def _target(connection: Connection, change: SetStatistics) -> Step:
    row = await _row(connection, "statistics_target", [str(change.table), change.column])
    if row is None:
        raise ChangeRefused(f"{change.table} has no column {change.column!r}")
    if row[0] == change.target:
        return Step(change, "done", "is set so")
    return Step(change, revert=replace(change, target=row[0]))


async def _validation(connection: Connection, change: ValidateConstraint) -> Step:
    row = await _row(connection, "constraint_state", [str(change.table), change.constraint])
    if row is None:
        raise ChangeRefused(f"{change.table} has no constraint {change.constraint!r}")
    return Step(change, "done", "is valid") if row[0] else Step(change, note="reads the table beside writers")


async def _statistics(connection: Connection, change: CreateStatistics) -> Step:
    change = replace(change, name=replace(change.named, schema=change.named.schema or change.table.schema))
    named = change.named
    row = await _row(connection, "statistics", [named.name, named.schema, named.schema])
    if row is None:
        return Step(change, revert=DropStatistics(named))
    if Name(row[1], row[0]) != change.table:
        raise ChangeRefused(f"{named} are statistics of {Name(row[1], row[0])}: choose another name")
    return Step(change, "done", f"are there: {row[2]}")


async def _row(connection: Connection, name: str, values: list[Any]) -> Any:
    query = resources.files("pitstop.schema").joinpath("sql", f"{name}.sql").read_bytes()
    return await (await connection.execute(query, values)).fetchone()
