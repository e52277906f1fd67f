"""The keyset cursor: where a page ended, as text that fits into a URL."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

__all__ = ["PATTERN", "Cursor"]

PATTERN = r"^\d{1,16}~\d{1,18}$"  # what matches can be parsed, and is a time and an id PostgreSQL can hold

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last row of a page; the next page begins below it.

    Attributes:
        created_at: its time, in UTC.
        id: its id, which orders rows of the same time.
    """

    created_at: datetime
    id: int

    def __str__(self) -> str:
        return f"{(self.created_at - EPOCH) // MICROSECOND}~{self.id}"

    @classmethod
    def parse(cls, value: str) -> "Cursor":
        """Read a cursor that matches ``PATTERN``."""
        at, _, row = value.partition("~")
        return cls(EPOCH + int(at) * MICROSECOND, int(row))
