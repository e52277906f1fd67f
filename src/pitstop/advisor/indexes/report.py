"""Indexes that are there: unused, duplicate, overlapping, invalid or bloated; and missing ones."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal

import psycopg

from pitstop.advisor.whatif import WhatIf
from pitstop.postgres.catalog import Catalog
from pitstop.postgres.indexes import Index, covers

__all__ = ["IndexFinding", "Usage", "examine_indexes", "query_usage"]

Kind = Literal["invalid", "duplicate", "overlapping", "unused", "bloated", "foreign-key"]

_MOST_DAYS = 7.0
_BLOAT_FACTOR = 2.0
_BLOAT_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Usage:
    """How far the counts of scans may be trusted.

    Attributes:
        days: since they began.
        is_replica: this server only follows another.
        replicas: how many follow this one; their scans are counted there.
    """

    days: float
    is_replica: bool
    replicas: int


@dataclass(frozen=True, slots=True)
class IndexFinding:
    """One thing to mend.

    Attributes:
        kind: which report it belongs to.
        subject: the index, or the columns of the foreign key.
        table: it is on.
        why: one sentence.
        cure: SQL; of what is not safe yet, what to run once it is.
        saves_bytes: what the cure frees.
        safe: whether nothing speaks against the cure.
        before: what to check or do first; empty where it is safe.
    """

    kind: Kind
    subject: str
    table: str
    why: str
    cure: str
    saves_bytes: int
    safe: bool
    before: str = ""


def query_usage(connection: "psycopg.Connection[dict[str, Any]]") -> Usage:
    """Ask a server since when it counts, and who counts besides.

    Args:
        connection: one with rows as dictionaries; it is only read.
    """
    text = resources.files("pitstop.postgres").joinpath("sql", "index_usage.sql").read_text("utf-8")
    row = connection.execute(text).fetchone()
    return Usage(float(row["days"] or 0), row["is_replica"], row["replicas"]) if row else Usage(0.0, False, 0)


def examine_indexes(
    indexes: Iterable[Index], usage: Usage, *, catalog: Catalog | None = None, whatif: WhatIf | None = None
) -> list[IndexFinding]:
    """All findings; what frees most comes first in each report.

    An index that was told to be dropped for one reason is not told again for another.

    Args:
        indexes: of the original.
        usage: of the original.
        catalog: for foreign keys; None leaves them out.
        whatif: a copy, for bloat; None leaves it out.
    """
    known = [each for each in indexes if not each.of_partition]
    found: list[IndexFinding] = []
    told: set[str] = set()
    for report in (_invalid, _duplicate, _overlapping):
        found += _once(report(known), told)
    # What takes the work of one that goes will be used, whatever was counted so far.
    heirs = {
        each.name for one in known if one.name in told and one.scans for each in known if covers(each, one)
    }
    found += _once(_unused([each for each in known if each.name not in heirs], usage), told)
    if whatif is not None:
        found += _once(_bloated(known, whatif), told)
    return [*found, *_foreign_keys(catalog)]


def _once(findings: Iterable[IndexFinding], told: set[str]) -> list[IndexFinding]:
    fresh = [each for each in findings if each.subject not in told]
    told.update(each.subject for each in fresh)
    return sorted(fresh, key=lambda each: (-each.saves_bytes, each.subject))


def _invalid(indexes: list[Index]) -> Iterator[IndexFinding]:
    for each in indexes:
        if not each.is_valid:
            yield IndexFinding(
                kind="invalid",
                subject=each.name,
                table=each.table,
                why="a failed CREATE INDEX CONCURRENTLY left it behind: it is kept up and never read",
                cure=_drop(each),
                saves_bytes=each.size_bytes,
                safe=False,
                before="no CREATE INDEX or REINDEX of it may be running",
            )


def _duplicate(indexes: list[Index]) -> Iterator[IndexFinding]:
    for kept, one in _pairs(indexes):
        if covers(kept, one) and covers(one, kept) and _keeps(kept, one):
            yield _superfluous("duplicate", one, f"{kept.name} is the same index", kept)


def _overlapping(indexes: list[Index]) -> Iterator[IndexFinding]:
    for kept, one in _pairs(indexes):
        if covers(kept, one) and not covers(one, kept):
            columns = ", ".join((*kept.key_names, *kept.include))
            yield _superfluous("overlapping", one, f"{kept.name} ({columns}) serves all that it serves", kept)


def _pairs(indexes: list[Index]) -> Iterator[tuple[Index, Index]]:
    """Two valid indexes of which the second has no duty."""
    valid = [each for each in indexes if each.is_valid]
    return ((kept, one) for one in valid if not one.has_duty for kept in valid if kept is not one)


def _keeps(kept: Index, one: Index) -> bool:
    """Which of two equal ones stays: the one with a duty, else the one that is first by name."""
    return kept.has_duty or kept.name < one.name


def _superfluous(kind: Kind, one: Index, why: str, kept: Index) -> IndexFinding:
    return IndexFinding(
        kind=kind,
        subject=one.name,
        table=one.table,
        why=f"{why}; every write keeps up both",
        cure=_drop(one),
        saves_bytes=one.size_bytes,
        safe=True,
        before="" if kept.is_valid else f"{kept.name} must be valid",
    )


def _unused(indexes: list[Index], usage: Usage) -> Iterator[IndexFinding]:
    doubts = []
    if usage.days < _MOST_DAYS:
        doubts.append(f"scans are counted for {usage.days:.1f} days only: wait for {_MOST_DAYS:.0f}")
    if usage.replicas:
        doubts.append(f"{usage.replicas} replicas count their own scans: ask each of them")
    if usage.is_replica:
        doubts.append("this is a replica: ask the primary")
    for each in indexes:
        if each.is_valid and not each.scans and not each.has_duty:
            against = [*doubts, *_key_without(each, indexes)]
            yield IndexFinding(
                kind="unused",
                subject=each.name,
                table=each.table,
                why=f"no scan in {usage.days:.1f} days; every write keeps it up",
                cure=_drop(each),
                saves_bytes=each.size_bytes,
                safe=not against,
                before="; ".join(against),
            )


def _key_without(one: Index, indexes: list[Index]) -> Iterator[str]:
    """What speaks against dropping the index of a foreign key that no other index will keep serving."""
    staying = (each for each in indexes if each.table == one.table and (each.scans or each.has_duty))
    if one.foreign_key and all(each.foreign_key != one.foreign_key for each in staying):
        yield f"deletes in the parent of {one.foreign_key} would read all of {one.table}: there must be none"


def _bloated(indexes: list[Index], whatif: WhatIf) -> Iterator[IndexFinding]:
    fresh = whatif.fresh_sizes()
    for each in indexes:
        best = fresh.get(each.name)
        if best is None or not each.is_valid:
            continue
        waste = each.size_bytes - best
        if each.size_bytes >= _BLOAT_FACTOR * best and waste >= _BLOAT_BYTES:
            yield IndexFinding(
                kind="bloated",
                subject=each.name,
                table=each.table,
                why=f"{each.size_bytes:,} bytes where a new one would have {best:,}",
                cure=f"REINDEX INDEX CONCURRENTLY {each.name}",
                saves_bytes=waste,
                safe=True,
            )


def _foreign_keys(catalog: Catalog | None) -> Iterator[IndexFinding]:
    for key in catalog.unindexed_foreign_keys if catalog is not None else ():
        yield IndexFinding(
            kind="foreign-key",
            subject=f"{key.table} ({', '.join(key.columns)})",
            table=key.table,
            why=f"each delete in {key.parent} reads all {key.rows:,} rows of {key.table} ({key.name})",
            cure=key.ddl,
            saves_bytes=0,
            safe=True,
        )


def _drop(index: Index) -> str:
    return f"DROP INDEX CONCURRENTLY {index.name}"
