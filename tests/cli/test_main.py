"""The command line as a whole: help, mistakes, errors of ours, Ctrl-C."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import pitstop

SCRIPT = str(Path(sys.executable).parent / "pitstop")
MODULE = [sys.executable, "-m", "pitstop"]
COMMANDS = ["run", "doctor", "fix", "bench", "serve", "demo"]


@pytest.fixture
def environ() -> dict[str, str]:
    """The environment without anything of ours, on a terminal of fixed width."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PITSTOP_")}
    return {**kept, "COLUMNS": "100"}


def call(command: list[str], cwd: Path, environ: dict[str, str]) -> tuple[int, str, str]:
    done = subprocess.run(
        command, cwd=cwd, env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("command", [MODULE, [SCRIPT]], ids=["module", "script"])
def test_help_lists_the_commands(tmp_path: Path, environ: dict[str, str], command: list[str]) -> None:
    """`python -m pitstop --help` and `pitstop --help` say what there is."""
    code, out, err = call([*command, "--help"], tmp_path, environ)
    assert (code, err) == (0, "")
    words = out.split()
    assert all(name in words for name in COMMANDS)


def test_the_version(tmp_path: Path, environ: dict[str, str]) -> None:
    """`pitstop --version` is what a bug report begins with."""
    assert call([*MODULE, "--version"], tmp_path, environ) == (0, f"pitstop {pitstop.__version__}\n", "")


def test_no_command_shows_the_help(tmp_path: Path, environ: dict[str, str]) -> None:
    """`pitstop` alone is a question."""
    code, out, err = call(MODULE, tmp_path, environ)
    assert code in (0, 2)
    assert "Observe any ASGI application" in out + err


def test_every_command_has_help(tmp_path: Path, environ: dict[str, str]) -> None:
    """Each says how it is used, and asking changes nothing."""
    code = (
        "import sys; from pitstop.cli import app\n"
        "for name in sys.argv[1:]: app([name, '--help'], prog_name='pitstop', standalone_mode=False)"
    )
    status, out, err = call([sys.executable, "-c", code, *COMMANDS], tmp_path, environ)
    assert (status, err) == (0, "")
    assert all(f"Usage: pitstop {name} [" in out for name in COMMANDS)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["docter"], ["doctor", "--jsn"], ["--nonsense"]])
def test_bad_usage_ends_with_two(tmp_path: Path, environ: dict[str, str], arguments: list[str]) -> None:
    """A misspelt command or option is explained on stderr."""
    code, out, err = call([*MODULE, *arguments], tmp_path, environ)
    assert (code, out) == (2, "")
    assert "Usage:" in err
    assert "Traceback" not in err


def test_an_error_of_ours_is_one_line(tmp_path: Path, environ: dict[str, str]) -> None:
    """No traceback: what is wrong and what to do, exit code 2."""
    code, out, err = call([*MODULE, "fix"], tmp_path, environ)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("pitstop: ")


def test_brackets_are_not_swallowed(tmp_path: Path, environ: dict[str, str]) -> None:
    """The extra to install stands in its brackets, which are no markup."""
    (tmp_path / "findings.json").write_text("[]")
    code = "import sys; sys.modules['libcst'] = None; from pitstop.cli import main; main()"
    command = [sys.executable, "-c", code, "fix", "--findings", "findings.json"]
    expected = "pitstop: source fixes need the 'fix' extra: pip install 'pitstop[fix]'\n"
    assert call(command, tmp_path, environ) == (2, "", expected)


def test_a_mistake_of_ours_shows_its_traceback(tmp_path: Path, environ: dict[str, str]) -> None:
    """What nobody foresaw is not dressed up as an error of the user's."""
    code = "from pitstop.cli import app, main; app.command('burst')(lambda: 1 / 0); main()"
    status, _, err = call([sys.executable, "-c", code, "burst"], tmp_path, environ)
    assert status == 1
    assert "ZeroDivisionError" in err


def test_ctrl_c_ends_quietly(tmp_path: Path, environ: dict[str, str]) -> None:
    """An interrupt ends with 130, as of any program, and without a traceback."""
    pipe = tmp_path / "findings"
    os.mkfifo(pipe)
    process = subprocess.Popen(
        [*MODULE, "fix", "--findings", str(pipe)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env=environ,
        text=True,
    )
    with pipe.open("w"):  # opens when the command has begun to read, and it waits for more
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err
