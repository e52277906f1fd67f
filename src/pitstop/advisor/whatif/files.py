"""The files of relations without rows: as long as the originals, so that the planner believes them."""

import os
from dataclasses import dataclass
from pathlib import Path

from pitstop.postgres.metapage import PAGE_BYTES, SEGMENT_PAGES

__all__ = ["RelationFile"]


@dataclass(frozen=True, slots=True)
class RelationFile:
    """A relation of the copy.

    Attributes:
        name: quoted, with its schema.
        kind: ``"r"`` a table, ``"m"`` a materialized view, ``"i"`` an index.
        method: of access.
        path: its first file; one of each further GiB lies beside it.
        oid: in the copy.
    """

    name: str
    kind: str
    method: str
    path: Path
    oid: int

    def stretch(self, pages: int) -> None:
        """Make it at least so many pages long; what is added takes no space on the disk."""
        for segment, left in enumerate(range(pages, 0, -SEGMENT_PAGES)):
            file = self._segment(segment)
            length = min(left, SEGMENT_PAGES) * PAGE_BYTES
            if not file.exists() or file.stat().st_size < length:
                self._extend(file, length)

    def shrink(self) -> None:
        """Make a table empty again: an index build would read every page of it."""
        segment = 1
        while (file := self._segment(segment)).exists():
            file.unlink()
            segment += 1
        os.truncate(self.path, 0)

    def _segment(self, number: int) -> Path:
        return self.path if number == 0 else self.path.with_name(f"{self.path.name}.{number}")

    def _extend(self, file: Path, length: int) -> None:
        owner = self.path.stat()
        made = not file.exists()
        with file.open("ab") as opened:
            opened.truncate(length)
        if made:  # we may be root and the server somebody else
            os.chown(file, owner.st_uid, owner.st_gid)
            file.chmod(owner.st_mode & 0o777)
