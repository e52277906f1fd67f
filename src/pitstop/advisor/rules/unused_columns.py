"""Wide columns that every route behind a query loads and none can show."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from pitstop.advisor.finding import Finding
from pitstop.store import Observations, StatementTotals, UnusedColumn

if TYPE_CHECKING:
    from pitstop.advisor.evidence import Evidence

__all__ = ["examine"]

RULE = "unused-columns"
_WIDE_BYTES = 200  # below, a column costs less than the row around it
_OUTSIDE_BYTES = 20  # PostgreSQL counts a value that is stored outside of the row as a pointer of 18 bytes
_SAME_S = 60.0

Widths = Mapping[tuple[str, str], int]


def examine(evidence: "Evidence") -> Iterable[Finding]:
    """One finding for each query and class, with the columns that no route behind it can show.

    Details: ``entity``, ``columns`` (attributes), ``routes``, ``rows_per_call``, ``bytes_per_row`` (None
    without a database, or where the values are stored outside of the row).
    """
    widths: Widths = {}
    if evidence.catalog is not None:
        widths = {(each.table, each.column): each.bytes for each in evidence.catalog.widths}
    grouped: dict[tuple[object, str], list[UnusedColumn]] = {}
    for each in evidence.observations.unused_columns.values():
        if _is_wide(each, widths, known=evidence.catalog is not None):
            grouped.setdefault((each.location, each.entity), []).append(each)
    for group in grouped.values():
        finding = _judge(group, evidence.observations, widths)
        if finding is not None:
            yield finding


def _is_wide(each: UnusedColumn, widths: Widths, *, known: bool) -> bool:
    bytes_ = widths.get((each.table, each.column))
    if bytes_ is None:
        return each.type != "string" and not known
    return bytes_ >= _WIDE_BYTES or (each.type != "string" and 17 <= bytes_ <= _OUTSIDE_BYTES)


def _judge(group: list[UnusedColumn], observations: Observations, widths: Widths) -> Finding | None:
    here = [each for each in observations.statements.values() if each.location == group[0].location]
    here = _current(here)
    told = {(each.scope_kind, each.scope, each.fingerprint, each.attribute): each for each in group}
    attributes = [
        name
        for name in sorted({each.attribute for each in group})
        if here and all((*_key(each), name) in told for each in here)
    ]
    columns = [each for each in group if each.attribute in attributes]
    return _finding(columns, here, widths) if columns else None


def _current(statements: list[StatementTotals]) -> list[StatementTotals]:
    """Without those that the same line of the same route executed before the source was changed."""
    last: dict[tuple[str, str], float] = {}
    for each in statements:
        key = (each.scope_kind, each.scope)
        last[key] = max(last.get(key, 0.0), each.last_seen)
    return [each for each in statements if each.last_seen >= last[each.scope_kind, each.scope] - _SAME_S]


def _key(each: StatementTotals) -> tuple[str, str, str]:
    return (each.scope_kind, each.scope, each.fingerprint)


def _finding(columns: list[UnusedColumn], here: list[StatementTotals], widths: Widths) -> Finding:
    first = columns[0]
    names = sorted({each.attribute for each in columns})
    routes = list(dict.fromkeys(each.scope for each in sorted(here, key=lambda each: -each.total_ms)))
    calls = sum(each.calls for each in here)
    rows = sum(max(each.rows, 0) for each in here) / max(calls, 1)
    known = {each.column: widths.get((each.table, each.column), 0) for each in columns}
    width = sum(each for each in known.values() if each >= _WIDE_BYTES)
    listed = [f"{first.entity}.{name}" for name in names]
    more = f" and {len(routes) - 1} more" if len(routes) > 1 else ""
    each_time = f"{rows:,.0f} {'row' if rows == 1 else 'rows'} a time" if rows else "each row"
    return Finding(
        rule=RULE,
        severity="warning" if rows * width >= 10_000 else "info",
        subject=", ".join(listed),
        what=f"{routes[0]}{more} loads {', '.join(listed)}, which no field of the response shows",
        how_often=f"{calls:,} times",
        cost=f"{width:,} bytes in {each_time} on average"
        if width
        else f"{each_time}; its width is not known",
        cost_ms=0.0,
        cure=f"put {' and '.join(f'defer({each})' for each in listed)} into .options() of the query, "
        f"or behind the option that brings {first.entity}, as in joinedload(...).defer({listed[0]})",
        location=first.location,
        query_location=first.location,
        details={
            "entity": first.entity,
            "columns": names,
            "routes": routes,
            "rows_per_call": rows,
            "bytes_per_row": width or None,
        },
    )
