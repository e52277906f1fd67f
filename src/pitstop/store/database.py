"""The SQLite file of the record: opened, checked, made, and moved aside when it cannot be used."""

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

__all__ = [
    "FILE_NAME",
    "VERSION",
    "connect",
    "is_corrupt",
    "is_full",
    "move_aside",
    "open_read_only",
    "question",
]

FILE_NAME = "store.sqlite"
VERSION = 4
_ASIDE_NAME = "store.aside.sqlite"
_APPLICATION_ID = 0x50495453  # "PITS": `file store.sqlite` tells it apart
_SIDE_FILES = ("-wal", "-shm", "-journal")
_BUSY_S = 5.0
# The write-ahead log may grow as large as the file itself while a prune rewrites it.
_FILE_SHARE = 0.4


@cache
def question(name: str) -> str:
    """The text of ``sql/<name>.sql``."""
    return files("pitstop.store").joinpath("sql", f"{name}.sql").read_text("utf-8")


def connect(directory: Path, *, max_bytes: int) -> sqlite3.Connection:
    """Open the record for writing; make it where it is missing, replace it where it cannot be used.

    Raises:
        OSError, sqlite3.Error: the directory cannot be written, the disk is full.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with _alone(directory):
        try:
            return _open(directory / FILE_NAME, max_bytes)
        except _Unusable:
            _rename(directory)
            return _open(directory / FILE_NAME, max_bytes)


def move_aside(directory: Path, *, inode: int) -> None:
    """Put a record that turned out corrupt out of the way, unless another process already has."""
    path = directory / FILE_NAME
    with _alone(directory):
        if path.exists() and path.stat().st_ino == inode:
            _rename(directory)


def open_read_only(path: Path) -> sqlite3.Connection:
    """Open a record for reading, also where its directory cannot be written."""
    uri = f"file:{quote(str(path.resolve()))}"
    connection = sqlite3.connect(f"{uri}?mode=ro", uri=True, timeout=_BUSY_S, isolation_level=None)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master")
    except sqlite3.OperationalError:
        # Without its -shm file a WAL database in a read-only directory opens only as immutable.
        connection.close()
        connection = sqlite3.connect(f"{uri}?immutable=1", uri=True, isolation_level=None)
    return connection


def is_corrupt(error: sqlite3.Error) -> bool:
    """Whether the file is damaged or no database at all."""
    return _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_full(error: sqlite3.Error) -> bool:
    """Whether the file has reached its bound (or the disk is full)."""
    return _code(error) == sqlite3.SQLITE_FULL


class _Unusable(Exception):
    """Not a record of this version."""


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _open(path: Path, max_bytes: int) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        _configure(connection, max_bytes)
        _check(connection)
    except sqlite3.Error as error:
        connection.close()
        if is_corrupt(error):
            raise _Unusable from error
        raise
    except _Unusable:
        connection.close()
        raise
    return connection


def _configure(connection: sqlite3.Connection, max_bytes: int) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    page = connection.execute("PRAGMA page_size").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {int(max_bytes * _FILE_SHARE) // page}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {max(16, min(1000, max_bytes // 16 // page))}")
    connection.execute(f"PRAGMA journal_size_limit = {max_bytes // 16}")


def _check(connection: sqlite3.Connection) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if version == VERSION:
        return
    if version or tables:
        raise _Unusable
    connection.execute("BEGIN IMMEDIATE")
    for statement in question("schema").split(";"):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Hold the directory's lock: one process at a time makes, checks or moves the file."""
    ignore = directory / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", "utf-8")
    with closing(open(directory / "lock", "ab")) as lock:  # the kernel gives it back if we die
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _rename(directory: Path) -> None:
    path = directory / FILE_NAME
    path.replace(directory / _ASIDE_NAME)
    for suffix in _SIDE_FILES:  # left behind, they would be replayed into the new file
        Path(f"{path}{suffix}").unlink(missing_ok=True)
