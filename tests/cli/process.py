"""The command line as a real process, without anything of ours in its environment."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

__all__ = ["Command", "Done", "run"]

Done = tuple[int, str, str]
Command = Callable[..., Done]
"""Exit code, output and errors of a command with these arguments; named ones are its environment."""


def run(*arguments: str, cwd: Path | None = None, typed: str = "", **more: str) -> Done:
    """Run ``pitstop``.

    Args:
        arguments: after ``pitstop``.
        cwd: its directory.
        typed: what it reads from standard input.
        more: its environment beside that of the tests.
    """
    own = {name: value for name, value in os.environ.items() if not name.startswith("PITSTOP_")}
    path = os.pathsep.join(os.path.abspath(each) for each in sys.path if each)
    done = subprocess.run(
        [sys.executable, "-m", "pitstop", *arguments],
        env={**own, "COLUMNS": "100", "PYTHONPATH": path, **more},
        cwd=cwd,
        input=typed,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr
