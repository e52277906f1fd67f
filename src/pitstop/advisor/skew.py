"""Values far more common than others of their column, which a plan made for any value does not know."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources

from psycopg import sql

from pitstop.errors import PlanError
from pitstop.postgres.explain import Plan
from pitstop.postgres.explain.asking import Asker
from pitstop.postgres.explain.conditions import read_conditions
from pitstop.postgres.fingerprint import TOKEN

__all__ = ["Skew", "find_skews"]

_TIMES = 10
_MANY_ROWS = 1_000
_LEAST_COST = 1_000.0  # planner units, about ten milliseconds
_CONDITIONS = ("Index Cond", "Recheck Cond", "Filter")
_PLACE = re.compile(r"\(?\$(\d+)\)?(?:::[a-z ]+)?")
_ONE_S = 5.0


@dataclass(frozen=True, slots=True)
class Skew:
    """A parameter whose most common value makes the statement ten times as costly as any value does.

    Attributes:
        table, column: that it is compared with.
        share: of the table's rows that have the most common value, 0 to 1.
        rows, usual_rows: with that value, and with a value on average.
        cost, usual_cost: planner units of the statement, likewise.
    """

    table: str
    column: str
    share: float
    rows: float
    usual_rows: float
    cost: float
    usual_cost: float


def find_skews(asker: Asker, text: str, plan: Plan) -> tuple[Skew, ...]:
    """The skewed parameters of a statement; its statistics and plans are asked for, nothing is executed.

    Args:
        asker: of the database.
        text: SQL with ``$1``, ``$2`` ...
        plan: of it, for any value.
    """
    places = dict(_places(plan))
    if not places:
        return ()
    query = resources.files("pitstop.advisor").joinpath("sql", "common_values.sql").read_text("utf-8")
    tables, columns = zip(*places, strict=True)
    try:
        rows = asker.query(query, [list(tables), list(columns), _TIMES, _MANY_ROWS], timeout_s=_ONE_S)
    except PlanError:  # the server does not tell; the plan is worth having without it
        return ()
    found: list[Skew] = []
    for table, column, value, share, common, usual in rows:
        try:
            special = asker.ask(_with_value(text, places[table, column], value), timeout_s=_ONE_S)
        except PlanError:  # a value that this place cannot hold as it is written
            continue
        cost, before = special.root.total_cost, plan.root.total_cost
        if cost >= max(_LEAST_COST, _TIMES * before):
            found.append(Skew(table, column, share, common, usual, cost, before))
    return tuple(found)


def _places(plan: Plan) -> Iterator[tuple[tuple[str, str], int]]:
    """The columns that are compared with a parameter, and its number."""
    for node in plan.nodes():
        for name in _CONDITIONS if node.table else ():
            for each in read_conditions(node.text(name)):
                place = _PLACE.fullmatch(each.value) if each.operator == "=" else None
                if place and not each.wrapped:
                    yield (node.text("Relation Name"), each.column.strip('"')), int(place[1])


def _with_value(text: str, number: int, value: str) -> str:
    """A statement with a literal for one parameter, and the numbers of the others closed up."""
    parts: list[str] = []
    for match in TOKEN.finditer(text):
        word = match.group()
        if match.lastgroup == "value" and re.fullmatch(r"\$\d+", word):
            own = int(word[1:])
            word = sql.Literal(value).as_string() if own == number else f"${own - (own > number)}"
        parts.append(word)
    return "".join(parts)
