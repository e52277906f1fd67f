"""The forecast: the workload planned as if the tables were many times larger."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from pitstop.advisor.indexes import AdvisedIndex, AdvisedStatement, WorkloadStatement, advise
from pitstop.advisor.whatif import WhatIf, open_whatif
from pitstop.errors import SettingsError, WhatIfError

__all__ = ["MOST_SCALE", "Forecast", "ForetoldStatement", "forecast"]

MOST_SCALE = 1_000_000
"""Tables of a size beyond that no server has."""

_BAD_COST = 1_000.0
_BAD_SHARE = 0.5  # of the growth of the tables: a cost that keeps up with them
_CHANGED_FACTOR = 4.0
_HELPED_SHARE = 0.2  # of its cost: an index that leaves more does not keep a statement good


@dataclass(frozen=True, slots=True)
class ForetoldStatement:
    """A statement now and then.

    Attributes:
        text: SQL; weight: how often it runs.
        cost_now, cost_then: planner units of one execution.
        plan_now, plan_then: the nodes of the plan, outermost first.
        turns_bad: it is dear then, and dearer than now by more than an index would let it be.
        why: one sentence; empty where it stays good.
        cure: what to do now; empty where it stays good.
        problem: why it could not be planned.
    """

    text: str
    weight: float
    cost_now: float
    cost_then: float
    plan_now: tuple[str, ...] = ()
    plan_then: tuple[str, ...] = ()
    turns_bad: bool = False
    why: str = ""
    cure: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What becomes of a workload.

    Attributes:
        scale: how many times larger the tables are then.
        statements: all of them, in their order.
        indexes: those that would help then.
    """

    scale: float
    statements: tuple[ForetoldStatement, ...]
    indexes: tuple[AdvisedIndex, ...]


def forecast(
    url: str, workload: Sequence[WorkloadStatement], *, scale: float, servers: Any = None
) -> Forecast:
    """Plan a workload now and on tables so many times larger.

    Tables of less than a thousand rows are taken for lists that stay as they are. Foreign keys to tables
    that grow get more values, other columns keep theirs; ranges keep their share of the rows.

    Args:
        url: ``postgresql://...``; the database is only read.
        workload: its statements.
        scale: 1 to 1,000,000.
        servers: a private PostgreSQL to use; None to start one.

    Raises:
        SettingsError: the scale is none.
        WhatIfError: no statement can be planned.
        ServerNotFound: nobody answers at the address.
    """
    if not 1.0 <= scale <= MOST_SCALE:
        raise SettingsError(f"scale is {scale:g}: it must be 1 to {MOST_SCALE:,}")
    with ExitStack() as stack:
        now = stack.enter_context(open_whatif(url, servers=servers))
        plans = [_plan(now, each) for each in workload]
    with open_whatif(url, servers=servers, scale=scale) as then:
        advice = advise(then, workload)
        foretold = tuple(
            _compare(statement, before, _plan(then, statement), advised=advised, scale=scale)
            for statement, before, advised in zip(workload, plans, advice.statements, strict=True)
        )
    bad = {ddl for each in foretold if each.turns_bad for ddl in each.cure}
    return Forecast(scale, foretold, tuple(each for each in advice.indexes if each.ddl in bad))


def _plan(whatif: WhatIf, statement: WorkloadStatement) -> dict[str, Any] | WhatIfError:
    whatif.show([])
    try:
        return whatif.plan(statement.text)
    except WhatIfError as error:
        return error


def _compare(
    statement: WorkloadStatement,
    now: dict[str, Any] | WhatIfError,
    then: dict[str, Any] | WhatIfError,
    *,
    advised: AdvisedStatement,
    scale: float,
) -> ForetoldStatement:
    if isinstance(now, WhatIfError) or isinstance(then, WhatIfError):
        problem = now if isinstance(now, WhatIfError) else then
        return ForetoldStatement(statement.text, statement.weight, 0.0, 0.0, problem=str(problem))
    before, after = now["Total Cost"], then["Total Cost"]
    nodes_now, nodes_then = tuple(_nodes(now)), tuple(_nodes(then))
    why = _why(before, after, nodes_now, nodes_then, scale)
    return ForetoldStatement(
        statement.text, statement.weight, round(before, 2), round(after, 2), nodes_now, nodes_then,
        turns_bad=bool(why), why=why, cure=_cure(advised, nodes_then) if why else (),
    )  # fmt: skip


def _why(before: float, after: float, now: tuple[str, ...], then: tuple[str, ...], scale: float) -> str:
    growth = after / max(before, 0.01)
    if after < _BAD_COST:
        return ""
    grows = f"its cost grows {growth:,.{0 if growth >= 10 else 1}f} times"
    if growth > 1.0 + _BAD_SHARE * (scale - 1.0):
        return f"{grows}: it reads {_heaviest(then)}"
    if now != then and growth >= _CHANGED_FACTOR:
        return f"its plan changes to {then[0]} and {grows}"
    return ""


def _heaviest(nodes: tuple[str, ...]) -> str:
    whole = (each.partition(" on ")[2] for each in nodes if each.startswith("Seq Scan"))
    return next((f"all of {table}" for table in whole), "as many rows more")


def _cure(advised: AdvisedStatement, nodes: tuple[str, ...]) -> tuple[str, ...]:
    if advised.indexes and advised.cost_after < _HELPED_SHARE * advised.cost_before:
        return advised.indexes
    if any(each.startswith(("Aggregate", "Group")) for each in nodes):
        return ("keep the sums in a rollup or a materialized view: no index saves reading the rows",)
    return (*advised.indexes, "limit what it reads, e.g. to a range of time, or partition the table by it")


def _nodes(node: dict[str, Any]) -> Iterator[str]:
    table = f" on {node['Relation Name']}" if "Relation Name" in node else ""
    yield f"{node['Node Type']}{table}"
    for child in node.get("Plans", ()):
        yield from _nodes(child)
