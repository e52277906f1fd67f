"""Processes that own private servers, and what is left after them."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

OWNER = Path(__file__).with_name("owner.py")


@dataclass
class Owner:
    """A process of its own that holds private servers."""

    process: subprocess.Popen[str]
    directory: Path
    addresses: dict[str, Any]

    def gone(self) -> bool:
        """Whether neither a server, nor the keeper, nor (if temporary) the directory is left."""
        return not processes_of(self.directory)


def processes_of(directory: Path) -> list[str]:
    """What runs for a directory: servers work in it, and so does their keeper."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            where = os.readlink(entry / "cwd").removesuffix(" (deleted)")
            if Path(where).is_relative_to(directory):
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def eventually(condition: Callable[[], object], *, seconds: float = 30.0) -> bool:
    """Poll until something is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.fixture
def own() -> Iterator[Callable[..., Owner]]:
    """Start owners: ``own(directory, "leave")``; whatever still runs at the end is killed."""
    started: list[Owner] = []

    def start(*arguments: str | Path, prefix: tuple[str, ...] = (), python: str = sys.executable) -> Owner:
        process = subprocess.Popen(
            [*prefix, python, str(OWNER), *map(str, arguments)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
        assert process.stdout is not None
        addresses = json.loads(process.stdout.readline() or '{"directory": "/nonexistent"}')
        started.append(Owner(process, Path(addresses["directory"]), addresses))
        return started[-1]

    yield start
    for owner in started:
        owner.process.kill()
        owner.process.wait()
        assert owner.process.stdout is not None
        owner.process.stdout.close()
    for owner in started:
        assert eventually(owner.gone), processes_of(owner.directory)
