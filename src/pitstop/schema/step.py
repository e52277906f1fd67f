"""A step of a plan: one statement, whether it is done already, and what takes it back."""

from dataclasses import dataclass
from typing import Literal

from pitstop.schema.change import Change

__all__ = ["State", "Step"]

State = Literal["to do", "rebuild", "done"]


@dataclass(frozen=True, slots=True)
class Step:
    """One statement.

    Attributes:
        change: what it changes.
        state: ``"to do"``, ``"done"`` already, or ``"rebuild"``: a broken-off build left an invalid index.
        note: why, in words.
        revert: what takes it back; None where nothing has to or can.
        shape: of an index, as PostgreSQL writes it; empty where it could not be asked yet.
    """

    change: Change
    state: State = "to do"
    note: str = ""
    revert: Change | None = None
    shape: str = ""
