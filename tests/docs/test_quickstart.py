"""The quickstart holds: its application is observed, diagnosed, fixed and tested as the page shows."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.docs.markdown import DOCS, fences

PITSTOP = str(Path(sys.executable).with_name("pitstop"))
REQUESTS = 10


def shown(command: str) -> list[list[str]]:
    """What the page shows below a command, once for each time it is shown, as comparable lines."""
    blocks = [each.text for each in fences((DOCS / "quickstart.md").read_text("utf-8"))]
    return [comparable(block.partition(f"$ {command}\n")[2]) for block in blocks if f"$ {command}\n" in block]


def comparable(text: str) -> list[str]:
    """Lines without what differs from run to run: times, spaces in tables, the order of equals."""
    lines = [
        line for line in text.splitlines() if not line.startswith(("Observed until", "uvicorn (process)"))
    ]
    lines = [re.sub(r"\d[\d,]*\.\d+ ?(ms)?", "#", re.sub(r"^ ?\d(?= CRITICAL)", "n", line)) for line in lines]
    lines = [re.sub(r"^GET /books.*", "GET /books", " ".join(line.split())) for line in lines]
    return sorted(line for line in lines if line)


def environment(directory: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PITSTOP_", "PYTEST_"))}
    return {**kept, "COLUMNS": "100", "PYTHONPATH": str(directory)}


def pitstop(directory: Path, *arguments: str) -> list[str]:
    done = subprocess.run(
        [PITSTOP, *arguments],
        cwd=directory,
        env=environment(directory),
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return comparable(done.stdout)


@contextmanager
def served(directory: Path) -> Iterator[str]:
    """The application under observation, until it is interrupted as with Ctrl-C."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        PITSTOP,
        "run",
        "--reset",
        "--",
        sys.executable,
        "-m",
        "uvicorn",
        "shop:app",
        "--port",
        str(port),
    ]
    server = subprocess.Popen(
        command, cwd=directory, env=environment(directory), text=True, stderr=subprocess.PIPE
    )
    try:
        wait_for(port, server)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=30)


def wait_for(port: int, server: "subprocess.Popen[str]") -> None:
    for _ in range(600):
        assert server.poll() is None, server.communicate()[1]
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("the application does not answer")


def use(directory: Path) -> None:
    with served(directory) as url:
        for _ in range(REQUESTS):
            urllib.request.urlopen(f"{url}/books", timeout=30).read()


@pytest.mark.timeout(170)
def test_the_loop(tmp_path: Path) -> None:
    """Commands print what the page shows, from the first finding to the test that holds it cured."""
    for each in fences((DOCS / "quickstart.md").read_text("utf-8")):
        if each.title:
            (tmp_path / each.title).write_text(each.text, "utf-8")

    use(tmp_path)
    before, after = shown("pitstop doctor")
    assert pitstop(tmp_path, "doctor") == before
    assert [pitstop(tmp_path, "fix")] == shown("pitstop fix")
    assert [pitstop(tmp_path, "fix", "--write")] == shown("pitstop fix --write")
    use(tmp_path)
    assert pitstop(tmp_path, "doctor") == after

    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:asyncio", "-c", os.devnull, "test_shop.py"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=environment(tmp_path),
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout
