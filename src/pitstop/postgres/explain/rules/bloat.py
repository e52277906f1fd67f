"""A table has far more pages than its rows need."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.postgres.explain.finding import Finding
from pitstop.postgres.explain.judging import count, judge, quoted_table, removed_rows

if TYPE_CHECKING:
    from pitstop.postgres.explain.plan import Plan

__all__ = ["examine"]

RULE = "bloat"
_MANY_PAGES = 100
_PAGES_A_ROW = 1.0  # a row is never wider than a page: what is longer is stored elsewhere


def examine(plan: "Plan") -> Iterable[Finding]:
    """One finding for each sequential scan that reads more pages than rows, 100 or more.

    Details: ``table``, ``pages``, ``rows``.
    """
    for node in plan.nodes():
        pages = node.own_number("Shared Hit Blocks") + node.own_number("Shared Read Blocks")
        rows = node.total_rows + removed_rows(node)
        if node.node_type != "Seq Scan" or pages < max(_MANY_PAGES, _PAGES_A_ROW * rows):
            continue
        table = quoted_table(node)
        yield judge(
            plan,
            RULE,
            node,
            saving_ms=node.self_ms * (1 - rows / pages / 2),
            why=f"{count(pages, 'page')} of {node.table} hold {count(rows, 'row')}: the rest is dead space",
            cure=f"VACUUM FULL {table} in a quiet hour (it locks), or pg_repack; then let "
            "autovacuum run more often",
            table=node.table,
            pages=pages,
            rows=rows,
        )
