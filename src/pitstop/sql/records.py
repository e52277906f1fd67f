"""The records of this room: one executed statement, one group of equal statements, one N+1."""

from dataclasses import dataclass
from typing import Literal

from pitstop.sql.location import Location

__all__ = ["FindingKind", "NPlusOne", "Statement", "StatementGroup"]

FindingKind = Literal["lazy-load", "column-load", "repeated-statement"]


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
    """

    fingerprint: str
    text: str
    location: Location | None
    calls: int
    total_ms: float
    max_ms: float
    rows: int
    times: tuple[float, ...] = ()


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
        kind: ``"lazy-load"``, ``"column-load"`` or ``"repeated-statement"``.
        total_ms: time spent in the extra statements, milliseconds.
        is_expression: whether ``cure`` is an expression.
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

    def __repr__(self) -> str:
        return f"<NPlusOne {self}>"

    def __str__(self) -> str:
        name = f"{self.parent}.{self.relationship}" if self.relationship else self.parent
        where = f" at {self.location}" if self.location else ""
        query = f"; query at {self.query_location}" if self.query_location else ""
        cure = f".options({self.cure})" if self.is_expression else self.cure
        return f"{self.kind} {name}: {self.count} extra statements{where}{query}; cure: {cure}"
