"""The finding in a plan: what is wrong at which node, what curing it could save, and the cure."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

__all__ = ["Finding", "Severity"]

Severity = Literal["critical", "warning", "info"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to mend in a plan.

    Attributes:
        rule: the name of the rule, e.g. ``"filtered-scan"``.
        severity: ``"critical"``, ``"warning"`` or ``"info"``.
        saving_ms: what the cure could save of one execution at the most, milliseconds; 0 where not known.
        subject: the node, table or setting.
        why: one sentence with the figures that tell it.
        cure: what to do; a statement in SQL or a sentence.
        details: further facts by name, as the rule documents them; JSON-compatible.
    """

    rule: str
    severity: Severity
    saving_ms: float
    subject: str
    why: str
    cure: str
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The finding as one flat JSON object; ``details`` stand beside the other fields."""
        document = asdict(self)
        return {**document.pop("details"), **document}
