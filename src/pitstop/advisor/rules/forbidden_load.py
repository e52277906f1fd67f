"""Forbidden loads: what async code tried to load lazily, which fails the request (``MissingGreenlet``)."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.advisor.finding import Finding
from pitstop.advisor.rules.n_plus_one import details_of, grouped
from pitstop.store import NPlusOneTotals

if TYPE_CHECKING:
    from pitstop.advisor.evidence import Evidence

__all__ = ["examine"]

RULE = "forbidden-load"


def examine(evidence: "Evidence") -> Iterable[Finding]:
    """One finding for each attribute and query; it stands before all that is only slow.

    Details: as for ``n-plus-one``, without ``also_in``; ``count`` is 0, because nothing reached the
    database; ``fails`` is true.
    """
    for group in grouped(evidence.observations.n_plus_one.values()):
        if group[0].kind == "forbidden-load":
            yield _finding(group)


def _finding(group: list[NPlusOneTotals]) -> Finding:
    first = group[0]
    requests = sum(each.requests for each in group)
    details = {**details_of(group), "count": 0, "fails": True}
    routes = details["routes"]
    where = routes[0] if len(routes) == 1 else f"{routes[0]} and {len(routes) - 1} more"
    return Finding(
        rule=RULE,
        severity="critical",
        subject=f"{first.parent}.{first.relationship}",
        what=f"{first.parent}.{first.relationship} is loaded lazily in async code, which SQLAlchemy forbids",
        how_often=f"{requests:,} times in {where}",
        cost="the request fails with MissingGreenlet unless the code catches it",
        cost_ms=0.0,
        cure=first.cure,
        location=first.location,
        query_location=first.query_location,
        details=details,
    )
