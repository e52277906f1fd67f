"""Starting a command so that every Python process in it is observed."""

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from pitstop.errors import SettingsError

__all__ = ["HOOK", "environment", "launch"]

HOOK = Path(__file__).parent / "hook"


def environment(base: Mapping[str, str], *, store: Path) -> dict[str, str]:
    """The environment of an observed command.

    Args:
        base: the environment without observation; observed already, it stays as it is.
        store: directory of the record; made absolute, because servers change their directory.
    """
    entries = [entry for entry in base.get("PYTHONPATH", "").split(os.pathsep) if entry != str(HOOK)]
    # An empty entry would mean the current directory, which an unset variable does not.
    path = os.pathsep.join([str(HOOK), *entries]) if entries != [""] else str(HOOK)
    return {**base, "PYTHONPATH": path, "PITSTOP_STORE": str(store.absolute())}


def launch(command: Sequence[str], *, environ: Mapping[str, str]) -> NoReturn:
    """Replace this process by a command: its process id, signals and exit code are the command's own.

    Args:
        command: program and arguments. The program is looked for on the PATH, then beside this Python.
        environ: its environment.

    Raises:
        SettingsError: there is no such program, or it cannot be run.
    """
    program = _find(command[0], environ)
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execve(program, list(command), dict(environ))  # noqa: S606 - that is the command's whole purpose
    except OSError as error:
        raise SettingsError(f"cannot run '{command[0]}': {(error.strerror or str(error)).lower()}") from error


def _find(name: str, environ: Mapping[str, str]) -> str:
    """The program's path; a virtual environment need not be active for its own programs to be found."""
    beside = os.path.dirname(sys.executable)
    found = shutil.which(name, path=environ.get("PATH")) or shutil.which(name, path=beside)
    if found is None:
        raise SettingsError(
            f"cannot run '{name}': no such program on the PATH or in '{beside}'; install it there"
        )
    return found
