"""Indexes that the observed workload lacks, with what each statement gains."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pitstop.advisor.finding import Finding, Severity
from pitstop.postgres import abbreviate

if TYPE_CHECKING:
    from pitstop.advisor.evidence import Evidence
    from pitstop.advisor.indexes.advice import AdvisedIndex
    from pitstop.advisor.indexes.observed import Gain, ObservedAdvice
    from pitstop.postgres.catalog import ForeignKey

__all__ = ["examine"]

RULE = "missing-index"
_MOST = 5
_LEAST_COST = 100.0  # planner units, about a millisecond: less is no warning
_LEAST_FACTOR = 2.0
_SQL_CHARS = 110


def examine(evidence: "Evidence") -> Iterable[Finding]:
    """One finding for each of the five most useful indexes, and one that lists the others.

    Details: ``indexes``, of which each has ``ddl``, ``prerequisites``, ``size_bytes``, ``write_cost`` and
    ``gains`` (``text``, ``cost_before``, ``cost_after``, ``calls``, ``scope``).
    """
    asked = evidence.indexes
    if asked is None:
        return
    found = asked.indexes if len(asked.indexes) <= _MOST + 1 else asked.indexes[:_MOST]
    for index in found:
        keys = evidence.catalog.unindexed_foreign_keys if evidence.catalog is not None else ()
        served = [each for each in keys if asked.leads_with(index, each.ddl)]
        yield _finding(index, asked.gains(index), served)
    if len(found) < len(asked.indexes):
        yield _others(asked, asked.indexes[_MOST:])


def _finding(index: "AdvisedIndex", gains: "list[Gain]", keys: "list[ForeignKey]") -> Finding:
    subject = index.ddl.partition(" ON ")[2]
    table, _, rest = subject.partition(" ")
    first = max(gains, key=lambda each: each.saved_ms, default=None)
    return Finding(
        rule=RULE,
        severity="warning" if any(each.parent_deletes for each in keys) else _severity(gains),
        subject=subject,
        what=f"{table} lacks the index {rest}",
        how_often=_how_often(gains),
        cost=_cost(gains)
        + "".join(
            f"; a delete in {each} reads the table, too" for each in sorted({each.parent for each in keys})
        ),
        cost_ms=_saved_ms(gains),
        cure="; ".join((*index.prerequisites, index.ddl)),
        location=first.location if first is not None else None,
        details={"indexes": [_as_json(index, gains)]},
    )


def _others(asked: "ObservedAdvice", indexes: "Sequence[AdvisedIndex]") -> Finding:
    told = [(each, asked.gains(each)) for each in indexes]
    gains = list({gain.text: gain for _, found in told for gain in found}.values())
    return Finding(
        rule=RULE,
        severity=_severity(gains),
        subject=f"{len(indexes)} more indexes",
        what=f"{len(indexes)} more indexes are lacking, each of less use",
        how_often=_how_often(gains),
        cost=_cost(gains),
        cost_ms=_saved_ms(gains),
        cure="see what each is for: pitstop indexes",
        details={"indexes": [_as_json(*each) for each in told]},
    )


def _severity(gains: "Iterable[Gain]") -> Severity:
    worth = any(
        each.cost_before >= _LEAST_COST and each.cost_before >= _LEAST_FACTOR * each.cost_after
        for each in gains
    )
    return "warning" if worth else "info"


def _how_often(gains: "list[Gain]") -> str:
    scopes = list(dict.fromkeys(each.scope for each in gains if each.scope))
    where = f", most of them in {scopes[0]}" if len(scopes) > 1 else f", in {scopes[0]}" if scopes else ""
    what = "one statement" if len(gains) == 1 else f"{len(gains)} statements"
    return f"{sum(each.calls for each in gains):,} executions of {what}{where}"


def _cost(gains: "list[Gain]") -> str:
    total_ms, saved_ms = sum(each.total_ms for each in gains), _saved_ms(gains)
    return f"{total_ms:,.1f} ms in them so far, about {saved_ms:,.1f} of it saved by the planner's costs"


def _saved_ms(gains: "Iterable[Gain]") -> float:
    return sum(each.saved_ms for each in gains)


def _as_json(index: "AdvisedIndex", gains: "list[Gain]") -> dict[str, object]:
    return {
        "ddl": index.ddl,
        "prerequisites": list(index.prerequisites),
        "size_bytes": index.size_bytes,
        "write_cost": index.write_cost,
        "gains": [
            {
                "text": abbreviate(each.text, max_chars=_SQL_CHARS),
                "cost_before": each.cost_before,
                "cost_after": each.cost_after,
                "calls": each.calls,
                "scope": each.scope,
            }
            for each in gains
        ],
    }
