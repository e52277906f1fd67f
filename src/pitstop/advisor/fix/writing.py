"""Writing of planned files: all of them or none."""

import hashlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pitstop.advisor.fix.plan import FileFix
from pitstop.errors import FixError, FixRefused

__all__ = ["write_fixes"]


def write_fixes(files: Sequence[FileFix]) -> None:
    """Write the planned files, each atomically; mode and owner stay.

    Raises:
        FixRefused: a file changed after the plan was made; nothing is written.
        FixError: a file cannot be written; those written before it are as they were.
    """
    originals = [_unchanged(each) for each in files]
    done: list[tuple[Path, bytes]] = []
    for each, original in zip(files, originals, strict=True):
        try:
            _replace(each.path, each.data)
        except OSError as error:
            _roll_back(done)
            raise FixError(
                f"cannot write {each.path}: {error.strerror or error}; no file was changed"
            ) from error
        done.append((each.path, original))


def _unchanged(file: FileFix) -> bytes:
    try:
        data = file.path.read_bytes()
    except OSError as error:
        raise FixError(f"cannot read {file.path}: {error.strerror or error}; no file was changed") from error
    if hashlib.sha256(data).hexdigest() != file.digest:
        raise FixRefused(f"{file.path} changed after the plan was made; no file was changed, run it again")
    return data


def _replace(path: Path, data: bytes) -> None:
    path = path.resolve()  # a symbolic link stays one
    status = path.stat()
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, status.st_mode & 0o7777)
        if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()) and os.geteuid() == 0:
            os.chown(name, status.st_uid, status.st_gid)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _roll_back(done: Sequence[tuple[Path, bytes]]) -> None:
    failures = []
    for path, original in reversed(done):
        try:
            _replace(path, original)
        except OSError as error:
            failures.append(f"{path}: {error.strerror or error}")
    if failures:
        raise FixError(f"writing failed and these files could not be restored: {'; '.join(failures)}")
