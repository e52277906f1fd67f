"""A value is searched for in an array column by ANY, which no index serves."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.postgres.explain.conditions import split_top
from pitstop.postgres.explain.finding import Finding
from pitstop.postgres.explain.judging import judge, quoted_table, removed_rows, weight

if TYPE_CHECKING:
    from pitstop.postgres.explain.plan import Plan

__all__ = ["examine"]

RULE = "array-element"
_MANY_ROWS = 1_000
_SHARE = 0.1
_NAME = r'(?:"(?:[^"]|"")+"|[A-Za-z_][\w$]*)'
_ANY = re.compile(rf"(?:'(?:[^']|'')*'|\(?\$\d+\)?|\d+)\S* = ANY \(\(?(?:{_NAME}\.)*(?P<column>{_NAME})\)?.*")


def examine(plan: "Plan") -> Iterable[Finding]:
    """One finding for each filter by an element that removes 1,000 rows; without times, by its cost.

    Details: ``table``, ``column``.
    """
    for node in plan.nodes():
        found = [_ANY.fullmatch(each) for each in split_top(node.text("Filter"), "AND")]
        columns = [each["column"] for each in found if each]
        if not node.table or not columns or weight(plan, node) < _SHARE:
            continue
        removed = removed_rows(node)
        if plan.is_analyzed and removed < _MANY_ROWS:
            continue
        column = columns[0]
        yield judge(
            plan,
            RULE,
            node,
            saving_ms=node.self_ms * removed / max(removed + node.total_rows, 1.0),
            why=f"a value is searched for by = ANY ({column}), which no index on {column} serves",
            cure=f"write {column} @> ARRAY[value] (in SQLAlchemy .contains([value])), which an index serves: "
            f"CREATE INDEX CONCURRENTLY ON {quoted_table(node)} USING gin ({column})",
            table=node.table,
            column=column,
        )
