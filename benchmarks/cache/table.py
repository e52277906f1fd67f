"""A table of results as plain text."""

from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = ["Table", "amount"]


@dataclass(slots=True)
class Table:
    """The answers to one question.

    Attributes:
        title: the question.
        columns: the heads; the first column names the cache.
        rows: as many cells each as there are columns, or fewer where the last one is a remark.
        notes: what one must know to read it.
    """

    title: str
    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def text(self) -> str:
        """The table, columns aligned, numbers to the right."""
        full = [row for row in [self.columns, *self.rows] if len(row) == len(self.columns)]
        widths = [max(len(row[i]) for row in full) for i in range(len(self.columns))]
        widths[0] = max(len(row[0]) for row in [self.columns, *self.rows])
        rule = "-" * (sum(widths) + 2 * len(widths) - 2)
        lines = [f"## {self.title}", self._line(self.columns, widths), rule]
        lines += [self._line(row, widths) for row in self.rows]
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])

    def _line(self, row: Sequence[str], widths: Sequence[int]) -> str:
        if len(row) < len(self.columns):
            return f"{row[0].ljust(widths[0])}  {'  '.join(row[1:])}"
        numbers = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        return "  ".join([row[0].ljust(widths[0]), *numbers])


def amount(value: float) -> str:
    """Three significant digits, without an exponent: ``0.0451``, ``34.2``, ``1,102``."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 0.1 else f"{value:.3f}"
