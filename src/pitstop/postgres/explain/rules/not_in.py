"""NOT IN with a subquery cannot become a join: each row is looked up, or even searched for."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.postgres.explain.finding import Finding
from pitstop.postgres.explain.judging import judge, weight
from pitstop.postgres.explain.node import Node

if TYPE_CHECKING:
    from pitstop.postgres.explain.plan import Plan

__all__ = ["examine"]

RULE = "not-in"
_NOT_IN = re.compile(r"NOT \((?P<any>ANY \()?.*?(?P<hashed>hashed )?(?P<name>SubPlan \d+)")
_ALL = re.compile(r"<> ALL \(.*?(?P<hashed>hashed )?(?P<name>SubPlan \d+)")
_SHARE = 0.1


def examine(plan: "Plan") -> Iterable[Finding]:
    """One finding for each NOT IN (SELECT ...) that takes a tenth of the time or of the cost.

    Details: ``hashed``: whether the subquery was at least kept in a hash table.
    """
    for node in plan.nodes():
        text = node.text("Filter") or node.text("Join Filter")
        match = _NOT_IN.search(text) or _ALL.search(text)
        if match is None:
            continue
        below = [child for child in node.children if child.place == "SubPlan"]
        if sum(weight(plan, each) for each in (node, *(n for sub in below for n in sub.below()))) < _SHARE:
            continue
        hashed = bool(match["hashed"])
        spent = sum(child.total_ms for child in below)
        yield judge(
            plan,
            RULE,
            node,
            saving_ms=spent * 0.9 + node.self_ms / 2 if not hashed else (spent + node.self_ms) / 2,
            why="NOT IN keeps its subquery "
            + (
                "in a hash table beside the plan"
                if hashed
                else f"as a list that is searched for each row{_runs(below)}"
            )
            + "; with a NULL in it no row comes at all",
            cure="write NOT EXISTS (SELECT 1 FROM ... WHERE ... = ...): it becomes an anti join",
            hashed=hashed,
        )


def _runs(below: list[Node]) -> str:
    loops = max((child.loops or 0 for child in below), default=0)
    return f", {loops:,} times" if loops else ""
