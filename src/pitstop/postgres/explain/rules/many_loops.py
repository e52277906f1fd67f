"""A nested loop looks up its inner side so often that one pass over it would be cheaper."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.postgres.explain.finding import Finding
from pitstop.postgres.explain.judging import count, judge

if TYPE_CHECKING:
    from pitstop.postgres.explain.plan import Plan

__all__ = ["examine"]

RULE = "many-loops"
_MANY_LOOPS = 1_000
_SHARE = 0.3


def examine(plan: "Plan") -> Iterable[Finding]:
    """One finding for each nested loop that runs its inner side 1,000 times and takes a third of the time.

    A sequential scan there has a rule of its own. Details: ``loops``, ``loop_ms``.
    """
    for join in plan.nodes():
        inner = join.inner
        if join.node_type != "Nested Loop" or inner is None or inner.node_type in ("Seq Scan", "Materialize"):
            continue
        spent = inner.total_ms + join.self_ms
        if (inner.loops or 0) < _MANY_LOOPS or spent < _SHARE * plan.total_ms:
            continue
        outer = join.inputs[0]
        more = outer.estimated_rows is not None and (outer.rows or 0.0) > 10 * max(outer.estimated_rows, 1.0)
        yield judge(
            plan,
            RULE,
            inner,
            saving_ms=spent / 2,
            why=f"the inner side runs {count(inner.loops or 0, 'time')}, {spent:,.1f} ms with the loop"
            + (f", where {outer.estimated_rows:,.0f} times were expected" if more else ""),
            cure="cure the estimate of the outer side first, then the planner takes a hash join by itself"
            if more
            else "filter the outer side more, or let a hash join read the inner side once (more work_mem, "
            "join by equality, random_page_cost as the disk really is)",
            loops=inner.loops,
            loop_ms=spent,
        )
