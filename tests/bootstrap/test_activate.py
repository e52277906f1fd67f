"""`pitstop run` with scripts and other interpreters: seen where possible, and never in the way."""

import os
import signal
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.bootstrap.conftest import BIN, Place

OBSERVING = "pitstop: observing; see it with `pitstop doctor`\n"


def script(place: Place, text: str, *, name: str = "script.py") -> Path:
    path = place.path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_script_is_seen_with_its_lines(place: Place) -> None:
    """Statements of a plain script: one process scope named by the script, locations in the user's files."""
    script(place, "import shop\nshop.seed()\nprint(len(shop.authors()))\n")
    done = place.run(sys.executable, "script.py")
    assert (done.stdout, done.stderr, done.returncode) == ("10\n", OBSERVING, 0)
    seen = place.seen()
    assert [(each.kind, each.name, each.count) for each in seen.scopes.values()] == [
        ("process", "script.py", 1)
    ]
    (finding,) = [each for each in seen.n_plus_one.values() if each.parent == "Post"]
    assert finding.location is not None
    assert (finding.location[0], finding.location[2], finding.extra) == (
        str(place.path / "shop.py"),
        "authors",
        10,
    )


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (["-m", "jobs.nightly"], "jobs.nightly"),
        (["jobs/nightly.py"], "jobs/nightly.py"),
        (["-c", "import shop; shop.seed()"], "python -c"),
    ],
)
def test_a_script_has_the_name_its_user_gives_it(place: Place, command: list[str], name: str) -> None:
    """A module, a path and a one-liner are each called what was typed."""
    script(place, "import shop\nshop.seed()\n", name="jobs/nightly.py")
    assert place.run(sys.executable, *command, PYTHONPATH=str(place.path)).returncode == 0
    assert place.counts() == {name: 1}


def test_threads_of_a_script_are_seen(place: Place) -> None:
    """A statement in a thread of the user's own belongs to the process."""
    script(
        place,
        "import threading, shop\nshop.seed()\n"
        "thread = threading.Thread(target=shop.authors)\nthread.start()\nthread.join()\n",
    )
    assert place.run(sys.executable, "script.py").returncode == 0
    assert any(each.location and each.location[2] == "authors" for each in place.seen().statements.values())


def test_a_program_without_sql_or_web_leaves_no_trace(place: Place) -> None:
    """Nothing worth recording: no import, no thread, no record."""
    script(
        place,
        "import sys, threading\n"
        "print(threading.active_count(), 'sqlalchemy' in sys.modules, 'pydantic' in sys.modules)\n",
    )
    done = place.run(sys.executable, "script.py")
    assert done.stdout == "1 False False\n"
    assert not (place.path / ".pitstop").exists()


def test_exit_codes_and_signals_pass_through(place: Place) -> None:
    """The command takes the place of `pitstop run`: same process, its own exit code, its own death."""
    assert place.run(sys.executable, "-c", "raise SystemExit(7)").returncode == 7
    killed = place.run(sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGTERM)")
    assert killed.returncode == -signal.SIGTERM


def test_arguments_and_input_arrive_untouched(place: Place) -> None:
    """Options of the command that `pitstop run` has too, and its standard input, are the command's."""
    done = subprocess.run(
        [
            BIN / "pitstop",
            "run",
            sys.executable,
            "-c",
            "import sys; print(sys.argv[1:], sys.stdin.read())",
            "--reset",
            "--help",
        ],
        cwd=place.path,
        input="hello",
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "['--reset', '--help'] hello\n"


def test_an_existing_sitecustomize_still_runs(place: Place) -> None:
    """The one that Python would have imported is run as `sitecustomize`, and is what a later import gives."""
    script(place, "import sys\nsys.mine = __name__, __file__\n", name="site/sitecustomize.py")
    script(place, "import sys, sitecustomize, shop\nprint(sys.mine, sitecustomize.__file__)\nshop.seed()\n")
    done = place.run(sys.executable, "script.py", PYTHONPATH=os.pathsep.join([str(place.path / "site"), ""]))
    theirs = str(place.path / "site" / "sitecustomize.py")
    assert done.stdout == f"{('sitecustomize', theirs)} {theirs}\n"
    assert place.counts() == {"script.py": 1}


def test_a_failing_sitecustomize_fails_as_it_did_before(place: Place) -> None:
    """Python's own message about the user's broken sitecustomize appears, and the program runs."""
    script(place, "1 / 0\n", name="site/sitecustomize.py")
    done = place.run(sys.executable, "-c", "print('ran')", PYTHONPATH=str(place.path / "site"))
    assert done.stdout == "ran\n"
    assert "Error in sitecustomize" in done.stderr


def test_the_path_is_as_it_was(place: Place) -> None:
    """Neither our directory nor an empty entry (the current directory) is on `sys.path`."""
    code = "import sys; print('\\n'.join(sys.path[1:]))"
    bare = subprocess.run(
        [sys.executable, "-c", code], cwd=place.path, capture_output=True, text=True, check=True
    )
    assert place.run(sys.executable, "-c", code).stdout == bare.stdout


def test_children_are_seen_too(place: Place) -> None:
    """A program that starts another Python program: the child is observed like the parent."""
    script(place, "import shop\nshop.seed()\n", name="child.py")
    script(place, "import subprocess, sys\nsubprocess.run([sys.executable, 'child.py'], check=True)\n")
    assert place.run(sys.executable, "script.py").returncode == 0
    assert place.counts() == {"child.py": 1}


def test_pytest_is_seen(place: Place) -> None:
    """A console script: the statements of a test suite."""
    script(
        place,
        "import shop\ndef test_authors():\n    shop.seed()\n    assert shop.authors()\n",
        name="test_it.py",
    )
    done = place.run(str(BIN / "pytest"), "-q", "-p", "no:cacheprovider", "test_it.py")
    assert "1 passed" in done.stdout
    assert place.counts() == {"pytest": 1}


def test_switched_off_nothing_is_observed(place: Place) -> None:
    """With PITSTOP_ENABLED=0 the command runs bare."""
    done = place.run(
        sys.executable,
        "-c",
        "import os, shop; shop.seed(); print(os.environ.get('PYTHONPATH'))",
        PITSTOP_ENABLED="0",
    )
    assert done.stdout == "None\n"
    assert done.stderr == "pitstop: not observing, because PITSTOP_ENABLED is off\n"
    assert not (place.path / ".pitstop").exists()


def test_an_interpreter_without_pitstop_is_told_once(place: Place) -> None:
    """Another environment: one line that says what to install where; the program and its children run."""
    venv.create(place.path / "other", symlinks=True)
    python = str(place.path / "other" / "bin" / "python")
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(1)'], check=True)"
    done = place.run(python, "-c", code)
    assert (done.stdout, done.returncode) == ("1\n", 0)
    told = done.stderr.removeprefix(OBSERVING)
    assert told.count("\n") == 1
    assert told.startswith(f"pitstop: going on unobserved: {python} cannot import pitstop")
    assert f"{python} -m pip install pitstop" in told


def test_a_bad_setting_of_the_child_does_not_stop_it(place: Place) -> None:
    """A variable that only the child sets wrongly: one warning, and the program's own result."""
    code = "import os; os.environ['PITSTOP_STORE_MAX_BYTES'] = 'many'; import shop; shop.seed(); print('ran')"
    done = place.run(sys.executable, "-c", code)
    assert (done.stdout, done.returncode) == ("ran\n", 0)
    assert "pitstop: going on without observing" in done.stderr
    assert "PITSTOP_STORE_MAX_BYTES" in done.stderr


def test_a_record_that_cannot_be_written_does_not_stop_it(place: Place) -> None:
    """The record's directory cannot be made: one warning, and the program's own result."""
    (place.path / "file").write_text("")
    done = place.run(
        sys.executable,
        "-c",
        "import shop; shop.seed(); print('ran')",
        PITSTOP_STORE=str(place.path / "file" / "x"),
    )
    assert (done.stdout, done.returncode) == ("ran\n", 0)
    assert done.stderr.count("observation goes on without a record") == 1
