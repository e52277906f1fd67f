"""Namespaces of the cache that seldom have an answer."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pitstop.advisor.finding import Finding
from pitstop.store import CacheTotals

if TYPE_CHECKING:
    from pitstop.advisor.evidence import Evidence

__all__ = ["examine"]

RULE = "cold-cache"


def examine(evidence: "Evidence") -> Iterable[Finding]:
    """One finding for each namespace with a hit rate below ``cache_hit_rate`` in ``cache_calls`` or more.

    Details: ``namespace``, ``hit_rate``, ``hits``, ``misses``, ``refused``.
    """
    least = evidence.thresholds
    for each in evidence.observations.caches.values():
        if each.hits + each.misses >= least.cache_calls and each.hit_rate < least.cache_hit_rate:
            yield _finding(each, least.cache_hit_rate)


def _finding(each: CacheTotals, target: float) -> Finding:
    return Finding(
        rule=RULE,
        severity="warning",
        subject=each.namespace,
        what=f"the cache had an answer for {each.hit_rate:.0%} of the calls in namespace "
        f"{each.namespace!r}; {target:.0%} is the aim",
        how_often=f"{each.misses:,} of {each.hits + each.misses:,} calls",
        cost="a load each time, and what looking and storing costs on top of it",
        cost_ms=0.0,
        cure=_cure(each),
        details={
            "namespace": each.namespace,
            "hit_rate": each.hit_rate,
            "hits": each.hits,
            "misses": each.misses,
            "refused": each.refused,
        },
    )


def _cure(each: CacheTotals) -> str:
    if each.refused > each.misses / 2:
        return (
            "most of what is loaded is not kept: cache.stats() says why (unfilled); do not cache what is "
            "written as often as it is read"
        )
    return (
        "leave arguments out of the key that do not change the value (ignore=), invalidate by narrower tags, "
        "give it a longer ttl, warm it, or do not cache it"
    )
