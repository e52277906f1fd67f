"""What somebody who carries out changes is told, and how long is waited."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from pitstop.schema import Step

__all__ = ["News", "Patience", "Report"]

Kind = Literal["begins", "progress", "waits", "holds", "again", "cleans", "left", "ends", "done"]


@dataclass(frozen=True, slots=True)
class News:
    """Something that happened.

    Attributes:
        kind: ``"begins"`` and ``"ends"`` a step; ``"done"`` was done before; ``"progress"`` of a build;
            ``"waits"`` for another session; ``"holds"`` one up; tries ``"again"``; ``"cleans"`` a broken-off
            build away; has ``"left"`` one behind.
        text: in words.
        step: it is about; None before the first.
        fraction: of the phase of a build that is done, 0 to 1; None where nobody knows.
    """

    kind: Kind
    text: str
    step: Step | None = None
    fraction: float | None = None


Report: TypeAlias = Callable[[News], None]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited.

    Attributes:
        lock_timeout_s: for a lock that would hold writers up; then it is given up and asked for again.
        attempts: for such a lock.
        wait_s: for sessions that a concurrent build waits for, which holds nobody up; and for another apply.
        poll_s: between two looks at the progress.
    """

    lock_timeout_s: float = 2.0
    attempts: int = 30
    wait_s: float = 600.0
    poll_s: float = 0.5
