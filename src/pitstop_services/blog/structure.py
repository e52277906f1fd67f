"""The real structure, read from ``data/`` and repeated: who wrote what, when, under which parent."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Literal

from pitstop_services.copies import SHIFT, Row, read_rows, stride

__all__ = ["Row", "Structure", "read_structure"]

Table = Literal["users", "posts", "comments"]

PUBLISHED = frozenset({"1", "2"})  # questions and answers; the rest are the site's own pages


@dataclass(frozen=True, slots=True)
class Structure:
    """The rows of the three files, in the order of their ids.

    Copy ``n`` of a row has its id (and the ids it points to) moved by ``n`` times the stride of its
    table and lies ``n`` x 6:07:11 h earlier, so that every copy has the distributions of the first.
    """

    users: tuple[Row, ...]
    posts: tuple[Row, ...]
    comments: tuple[Row, ...]
    strides: dict[str, int]

    def identity(self, table: Table, value: str, *, copy: int) -> int | None:
        """The id that the copy has instead of this one; None stays None."""
        return int(value) + copy * self.strides[table] if value else None

    def published_ids(self, *, scale: int) -> list[int]:
        """The ids of all published posts of a database seeded at this scale."""
        return self._ids("posts", [row["id"] for row in self.posts if row["post_type"] in PUBLISHED], scale)

    def author_ids(self, *, scale: int) -> list[int]:
        """The ids of all active users who wrote a published post, at this scale."""
        wrote = {row["author_id"] for row in self.posts if row["post_type"] in PUBLISHED}
        ids = [row["id"] for row in self.users if row["id"] in wrote and is_active(row)]
        return self._ids("users", ids, scale)

    def _ids(self, table: Table, ids: list[str], scale: int) -> list[int]:
        stride = self.strides[table]
        return [int(each) + copy * stride for copy in range(scale) for each in ids]


def is_active(user: Row) -> bool:
    """Whether a user ever did something that others valued; the site has no such flag, so this is ours."""
    return int(user["reputation"]) > 1  # everybody begins with 1


def instant(value: str, *, copy: int) -> datetime:
    """The time of a copy's row, in UTC."""
    return datetime.fromisoformat(value).replace(tzinfo=UTC) - copy * SHIFT


@cache
def read_structure() -> Structure:
    """Read the files that ship with the service (about 14,000 rows)."""
    tables = {name: read_rows("blog", name) for name in ("users", "posts", "comments")}
    strides = {name: stride(rows) for name, rows in tables.items()}
    return Structure(tables["users"], tables["posts"], tables["comments"], strides)
