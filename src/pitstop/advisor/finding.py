"""The finding: what is slow, where, how often, what it costs, and the cure."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

__all__ = ["Finding", "Severity", "worst_first"]

Severity = Literal["critical", "warning", "info"]
_ORDER: dict[Severity, int] = {"critical": 0, "warning": 1, "info": 2}

Location = tuple[str, int, str]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to mend.

    Attributes:
        rule: the file of the rule, e.g. ``"n-plus-one"``.
        severity: ``"critical"``, ``"warning"`` or ``"info"``.
        subject: what it is about: ``"Post.comments"``, a route, a table.
        what: one sentence.
        how_often: one phrase.
        cost: one phrase.
        cost_ms: what it cost in all that was observed, milliseconds; findings are sorted by it.
        cure: what to do; an expression for ``.options(...)`` where ``details["is_expression"]``.
        location: the line that causes it, or None.
        query_location: the line of the statement that the cure belongs to, or None.
        details: further facts by name, as the rule documents them; JSON-compatible.
    """

    rule: str
    severity: Severity
    subject: str
    what: str
    how_often: str
    cost: str
    cost_ms: float
    cure: str
    location: Location | None = None
    query_location: Location | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The finding as one flat JSON object; ``details`` stand beside the other fields."""
        document = asdict(self)
        return {**document.pop("details"), **document}


def worst_first(findings: list[Finding]) -> list[Finding]:
    """Sort by severity, then what fails requests before what slows them, then by cost."""

    def rank(finding: Finding) -> tuple[int, bool, float, str]:
        slows = not finding.details.get("fails")
        return (_ORDER[finding.severity], slows, -finding.cost_ms, finding.subject)

    return sorted(findings, key=rank)
