"""Servers to be loaded: each a process of its own, ended with its test."""

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@contextmanager
def sleepy(delay_s: float, dsn: str) -> Iterator[str]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        process = subprocess.Popen(
            [sys.executable, str(HERE / "sleepy_app.py"), str(listener.fileno())],
            env={**os.environ, "DELAY_S": str(delay_s), "DSN": dsn},
            pass_fds=[listener.fileno()],
        )
    try:
        _wait(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _wait(port: int) -> None:
    for _ in range(600):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/")
            connection.getresponse()
            connection.close()
            return
        except OSError:
            connection.close()
            time.sleep(0.05)
    raise RuntimeError("the test's server did not come up")


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """A function that starts a server of that delay and gives its URL."""
    with ExitStack() as stack:
        yield lambda delay_s=0.0, dsn="": stack.enter_context(sleepy(delay_s, dsn))


@pytest.fixture
def locustfile() -> Path:
    return HERE / "sleepy_load.py"
