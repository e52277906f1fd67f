"""The command ``pitstop serve``, as a process of its own."""

import json
import os
import select
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from redis import Redis

COMMAND = [sys.executable, "-c", "from pitstop.cli import main; main()", "serve"]
START_SECONDS = 120.0
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("PITSTOP_")}
ENVIRONMENT["PYTHONFAULTHANDLER"] = "1"


@contextmanager
def serving(*arguments: str, number: signal.Signals = signal.SIGINT) -> Iterator[dict[str, Any]]:
    """Run the command until it has printed its addresses; end it as a user does."""
    with subprocess.Popen(
        [*COMMAND, *arguments, "--json"], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT
    ) as process:
        assert process.stdout is not None
        try:
            if not select.select([process.stdout], [], [], START_SECONDS)[0]:
                pytest.fail(f"nothing printed within {START_SECONDS} s:\n{_situation(process)}")
            yield json.loads(process.stdout.readline())
        finally:
            process.send_signal(number)
            assert process.wait(60) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_servers_until_interrupted(number: signal.Signals) -> None:
    """Both servers answer at the printed addresses; afterwards nothing is left."""
    with serving(number=number) as addresses:
        url = addresses["database_url"].replace("+asyncpg", "")
        with psycopg.connect(url) as connection:
            assert connection.execute("select current_user").fetchone() == ("pitstop",)
        with Redis.from_url(addresses["redis_url"]) as client:
            assert client.ping()
    assert not Path(addresses["directory"]).exists()


def test_a_service(tmp_path: Path) -> None:
    """The blog's data is loaded and its posts are served; the second time nothing is loaded."""
    for _ in range(2):
        with serving("blog", "--form", "tuned", "--port", "0", "--directory", str(tmp_path)) as addresses:
            assert len(_get(f"{addresses['url']}/posts?limit=3")["posts"]) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bolg"], "no service 'bolg': there is blog"),
        (["blog", "--form", "fast"], "no form 'fast' of blog: use naive"),
    ],
)
def test_a_wrong_name(arguments: list[str], message: str) -> None:
    """A name that does not exist is answered with those that do, before anything is started."""
    ended = subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, env=ENVIRONMENT, check=False
    )
    assert ended.returncode == 2
    assert message in ended.stderr


def _situation(process: subprocess.Popen[str]) -> str:
    """Where a command stands that does not go on (its own stack goes to standard error)."""
    process.send_signal(signal.SIGABRT)
    everything = ["ps", "-eo", "pid,ppid,etimes,stat,wchan:24,args"]
    return subprocess.run(everything, capture_output=True, text=True, check=False).stdout


def _get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=30) as response:
        return json.load(response)
