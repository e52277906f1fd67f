"""What the proof of index advice tells: of each statement, of each index, of the whole."""

from dataclasses import dataclass
from typing import Literal

from pitstop.statistics import Ratio

__all__ = ["IndexEffect", "Proof", "ProvenIndex", "ProvenStatement", "Verdict"]

Verdict = Literal["faster", "slower", "same", "not proven"]


@dataclass(frozen=True, slots=True)
class ProvenStatement:
    """What the indexes that stay do to a statement.

    Attributes:
        verdict: ``"faster"`` or ``"slower"``: by more than 5%, with a 95% interval that does not hold 1;
            ``"slower"`` by more than a millisecond, too.
        before_ms, after_ms: medians, of planning and executing on the server.
        ratio: of the second to the first, with its interval.
        problem: why it could not be run, or that its times vary too much to tell.
    """

    verdict: Verdict
    before_ms: float = 0.0
    after_ms: float = 0.0
    ratio: Ratio | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class IndexEffect:
    """What one index does to one statement, the others of the advice being there.

    Attributes:
        statement: its number in the advice.
        without_ms, with_ms: medians.
    """

    statement: int
    without_ms: float
    with_ms: float


@dataclass(frozen=True, slots=True)
class ProvenIndex:
    """An advised index, built.

    Attributes:
        ddl: as in the advice.
        is_kept: whether it is worth having.
        reason: why it is not; or why it is all the same, where it harms a statement or nobody knows.
        size_bytes: as built; build_ms: how long that took.
        saved_ms: of each statement's executions, as often as the workload says; below 0 what it costs.
        effects: on the statements that use it, or that write its table.
    """

    ddl: str
    is_kept: bool
    reason: str
    size_bytes: int
    build_ms: float
    saved_ms: float
    effects: tuple[IndexEffect, ...]


@dataclass(frozen=True, slots=True)
class Proof:
    """What was measured.

    Attributes:
        statements: as many as the advice has, in its order.
        indexes: those of the advice, in its order, then those that were tried in the place of harmful ones.
        mean_before_ms, mean_after_ms: weighted geometric means over the statements that were run.
        copied_bytes: size of the database that was copied.
    """

    statements: tuple[ProvenStatement, ...]
    indexes: tuple[ProvenIndex, ...]
    mean_before_ms: float
    mean_after_ms: float
    copied_bytes: int

    @property
    def kept(self) -> list[str]:
        """The DDL of the indexes that are worth having, as in the advice."""
        return [each.ddl for each in self.indexes if each.is_kept]
