"""Whether a user may make changes: asked before the first, so that none is made without the others."""

from typing import Any

import psycopg

from pitstop.advisor.apply.session import query_text
from pitstop.errors import ChangeRefused
from pitstop.schema import (
    AttachIndex,
    CreateIndex,
    CreateStatistics,
    DropIndex,
    Name,
    Plan,
    SetOptions,
    SetStatistics,
    Step,
    ValidateConstraint,
)

__all__ = ["verify_rights"]


async def verify_rights(connection: psycopg.AsyncConnection[Any], plan: Plan) -> None:
    """That the user owns what is to be changed, as PostgreSQL wants it.

    Raises:
        ChangeRefused: naming who owns it.
    """
    for name in dict.fromkeys(_changed(step) for step in plan.pending):
        if name is None:
            continue
        row = await (await connection.execute(query_text("owner"), [str(name)])).fetchone()
        if row and not row[0]:
            raise ChangeRefused(
                f"{name} belongs to {row[1]}, and {row[2]} may not change it: connect as {row[1]}"
            )


def _changed(step: Step) -> Name | None:
    """Whose owner has to be the user; what is built anew or analysed, others may be allowed to."""
    match step.change:
        case CreateIndex(table=name) | DropIndex(index=name) | AttachIndex(parent=name):
            return name
        case SetOptions(table=name) | SetStatistics(table=name) | ValidateConstraint(table=name):
            return name
        case CreateStatistics(table=name):
            return name
    return None
