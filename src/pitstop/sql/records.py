"""The records of this room: what the hooks saw, one statement, one group of equal ones, one N+1."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from pitstop.location import Location, Site
from pitstop.postgres import Fingerprint
from pitstop.sql.lineage import Execution, Origin

__all__ = ["FindingKind", "NPlusOne", "Seen", "Statement", "StatementGroup", "merged"]

FindingKind = Literal["lazy-load", "column-load", "repeated-statement", "forbidden-load"]


class Seen(NamedTuple):
    """One cursor execution as the hooks saw it, with what the detector needs; it does not outlive its trace.

    Attributes:
        text, ms, rows, failed: as in :class:`Statement`.
        fingerprint: of the text.
        site: the user's line and the calls that led there.
        execution: what the ORM was doing, or None for Core.
        parameters: as the driver got them; None for an executemany.
        run: SQLAlchemy's number taken between the execution and the loading of its rows.
    """

    text: str
    fingerprint: Fingerprint
    ms: float
    rows: int
    failed: bool
    site: Site
    execution: Execution | Origin | None
    parameters: object
    run: int


@dataclass(frozen=True, slots=True)
class Statement:
    """One cursor execution.

    Attributes:
        text: the SQL as the driver got it; values are never kept.
        fingerprint: the statement without its values, 16 hexadecimal digits.
        ms: from before to after the driver's ``execute``, milliseconds.
        rows: rows fetched or changed; -1 where the driver does not tell.
        location: the user's line, or None when none is on the stack.
        failed: whether the database refused it.
    """

    text: str
    fingerprint: str
    ms: float
    rows: int
    location: Location | None
    failed: bool = False


@dataclass(frozen=True, slots=True)
class StatementGroup:
    """All executions of one statement from one line.

    Attributes:
        fingerprint, text, location: as in :class:`Statement`.
        calls: executions.
        total_ms, max_ms: milliseconds.
        rows: rows of all executions; -1 where unknown.
        times: milliseconds of each execution, the first 1,000.
        skipped: rows that OFFSET skipped in all executions.
    """

    fingerprint: str
    text: str
    location: Location | None
    calls: int
    total_ms: float
    max_ms: float
    rows: int
    times: tuple[float, ...] = ()
    skipped: int = 0


@dataclass(frozen=True, slots=True, repr=False)
class NPlusOne:
    """Statements that one better statement would have saved.

    Attributes:
        parent: name of the class (or, for hand-written statements, class or table) that is loaded over
            and over or whose attribute is.
        relationship: the attribute that was loaded one by one; empty for a repeated statement.
        count: the extra statements.
        location: the user's line that caused them; None when no user code is on the stack, as when a
            response is serialised.
        query_location: the line of the query that the cure belongs to.
        cure: a Python expression for ``.options(...)`` of that query, or a sentence.
        imports: import lines that the expression needs.
        kind: ``"lazy-load"``, ``"column-load"``, ``"repeated-statement"``, or ``"forbidden-load"`` for what
            async code tried to load and SQLAlchemy refused (``MissingGreenlet``).
        total_ms: time spent in the extra statements, milliseconds.
        is_expression: whether ``cure`` is an expression.
        callers: the user's lines that led to ``query_location``, innermost first, three at the most.
    """

    parent: str
    relationship: str
    count: int
    location: Location | None
    query_location: Location | None
    cure: str
    imports: tuple[str, ...]
    kind: FindingKind
    total_ms: float = 0.0
    is_expression: bool = False
    callers: tuple[Location, ...] = ()

    def __repr__(self) -> str:
        return f"<NPlusOne {self}>"

    def __str__(self) -> str:
        name = f"{self.parent}.{self.relationship}" if self.relationship else self.parent
        where = f" at {self.location}" if self.location else ""
        query = f"; query at {self.query_location}" if self.query_location else ""
        cure = f".options({self.cure})" if self.is_expression else self.cure
        return f"{self.kind} {name}: {self.count} extra statements{where}{query}; cure: {cure}"


def merged(findings: Iterable[NPlusOne]) -> list[NPlusOne]:
    """What several requests did at the same lines, as one finding."""
    known: dict[Hashable, NPlusOne] = {}
    for each in findings:
        where = (each.location, each.query_location, each.callers)
        key = (each.kind, each.parent, each.relationship, each.cure, where)
        first = known.setdefault(key, each)
        if first is not each:
            count, total_ms = first.count + each.count, first.total_ms + each.total_ms
            known[key] = replace(first, count=count, total_ms=total_ms)
    return list(known.values())
