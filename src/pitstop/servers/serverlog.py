"""The log file of one server, and what of it to show when the server does not come up."""

import os
import shutil
from pathlib import Path

__all__ = ["ServerLog"]

SHOWN_LINES = 12
MAX_BYTES = 64 * 1024 * 1024
LITTLE_BYTES = 4 * 1024 * 1024

_CURES = {
    "No space left on device": "the disk is full: free some space, or give a directory on another disk",
    "Check free disk space": "the disk is full: free some space, or give a directory on another disk",
    "Disk quota exceeded": "the disk quota is used up: free some space, or give another directory",
    "Read-only file system": "the file system is read-only: give another directory",
    "Permission denied": "a file cannot be read or written: check whom the directory belongs to",
    "could not access file": "a contrib module is missing: install postgresql-contrib, or pitstop[servers]",
    "is not available": "a contrib module is missing: install postgresql-contrib, or pitstop[servers]",
    "Cannot allocate memory": "the memory is used up: end other programs",
}


class ServerLog:
    """A file that a server appends to; it starts anew when it has grown past ``MAX_BYTES``.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1
        self._mark = 0

    @property
    def descriptor(self) -> int:
        """The open file, for a server to write to."""
        if self._descriptor < 0:
            fresh = os.O_TRUNC if self.path.exists() and self.path.stat().st_size > MAX_BYTES else 0
            self._descriptor = os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_APPEND | fresh, 0o600)
        return self._descriptor

    def close(self) -> None:
        """Close the file; it opens again when needed."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def mark(self) -> None:
        """Remember this point: the other methods speak of what came after it."""
        self._mark = os.fstat(self.descriptor).st_size

    def since_mark(self) -> str:
        """What was written since the mark."""
        size = os.fstat(self.descriptor).st_size - self._mark
        return os.pread(self.descriptor, max(size, 0), self._mark).decode(errors="replace")

    def tail(self) -> str:
        """The cure, if one is known, and the last lines, for an error message."""
        lines = self.since_mark().strip().splitlines()
        cures = [cure for sign, cure in _CURES.items() if any(sign in line for line in lines)]
        if shutil.disk_usage(self.path.parent).free < LITTLE_BYTES:  # then the log may be empty
            cures.insert(0, _CURES["No space left on device"])
        shown = "\n  ".join(lines[-SHOWN_LINES:]) or "(nothing was written)"
        return "; ".join([*cures[:1], f"the end of {self.path}:\n  {shown}"])
