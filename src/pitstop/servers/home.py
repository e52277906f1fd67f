"""The directory that servers live in: the names of what is in it, and its lock."""

import fcntl
import os
from pathlib import Path

__all__ = ["FIRST_LEASE", "LOCK", "PREFIX", "SOCKET", "STATE", "lock_directory"]

FIRST_LEASE = 3  # the descriptor through which the process that started the keeper leases
LOCK = "keeper.lock"
SOCKET = "keeper.sock"
STATE = "servers.json"
PREFIX = "pitstop-servers-"  # of temporary directories


def lock_directory(directory: Path) -> int | None:
    """Take the lock of a directory for as long as the returned descriptor is open.

    Returns:
        None if another process has it, or if the directory was deleted meanwhile.
    """
    try:
        descriptor = os.open(directory / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_ino == (directory / LOCK).stat().st_ino:
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(descriptor)
    return None
