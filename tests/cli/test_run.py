"""The command `pitstop run`: what it says, what it refuses, what it resets."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pitstop.store import Observations, ScopeTotals, Store, read_store

PITSTOP = Path(sys.executable).parent / "pitstop"


@pytest.fixture
def environ() -> dict[str, str]:
    """The environment without anything of ours."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PITSTOP_")}


def pitstop(*arguments: str, cwd: Path, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(PITSTOP), "run", *arguments],
        cwd=cwd,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_program_that_is_not_there_is_explained(tmp_path: Path, environ: dict[str, str]) -> None:
    """A typing error is one line that names the program, with exit code 2."""
    done = pitstop("--", "uvcorn", "app:app", cwd=tmp_path, environ=environ)
    assert (done.returncode, done.stdout) == (2, "")
    assert "pitstop: cannot run 'uvcorn': no such program on the PATH" in done.stderr


def test_a_bad_setting_is_explained_before_the_start(tmp_path: Path, environ: dict[str, str]) -> None:
    """A variable that cannot work is named, and nothing is started."""
    done = pitstop("--", "echo", "x", cwd=tmp_path, environ={**environ, "PITSTOP_STORE_MAX_BYTES": "many"})
    assert (done.returncode, done.stdout) == (2, "")
    assert "PITSTOP_STORE_MAX_BYTES" in done.stderr


def test_without_a_command_the_usage_is_shown(tmp_path: Path, environ: dict[str, str]) -> None:
    """Nothing to run is bad usage."""
    done = pitstop(cwd=tmp_path, environ=environ)
    assert done.returncode == 2
    assert "Usage: pitstop run" in done.stderr


def test_programs_of_an_inactive_environment_are_found(tmp_path: Path, environ: dict[str, str]) -> None:
    """What is installed beside pitstop itself runs though its environment is not on the PATH."""
    done = pitstop("--", "uvicorn", "--version", cwd=tmp_path, environ={**environ, "PATH": "/usr/bin:/bin"})
    assert (done.returncode, done.stdout[:15]) == (0, "Running uvicorn")


def test_the_store_can_be_chosen(tmp_path: Path, environ: dict[str, str]) -> None:
    """--store is handed down as an absolute path, and the hint names it."""
    code = "import os; print(os.environ['PITSTOP_STORE'])"
    done = pitstop("--store", "record", "--", sys.executable, "-c", code, cwd=tmp_path, environ=environ)
    assert done.stdout == f"{tmp_path / 'record'}\n"
    assert done.stderr == "pitstop: observing; see it with `pitstop doctor --store record`\n"


def test_reset_forgets_what_was_seen_before(tmp_path: Path, environ: dict[str, str]) -> None:
    """Without --reset the record goes on, with it it begins anew."""
    key = ("request", "GET /")
    Store(tmp_path / ".pitstop").merge(Observations({key: ScopeTotals(*key, count=1)}))
    pitstop("--", "true", cwd=tmp_path, environ=environ)
    assert read_store(tmp_path / ".pitstop").scopes
    pitstop("--reset", "--", "true", cwd=tmp_path, environ=environ)
    assert not (tmp_path / ".pitstop" / "store.sqlite").exists()
