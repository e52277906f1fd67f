"""``pitstop demo``: the whole loop on real data, with the very commands that a user would type."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from pitstop.errors import ServerError, require

__all__ = ["demo"]

_SERVICE = "blog"
_APPLICATION = f"pitstop_services.{_SERVICE}.api:create_app"
_DSN = "$PITSTOP_DATABASE_URL"  # as it is shown; the command gets the address
_ROUNDS = 5
_START_S = 30.0


def demo(
    seconds: Annotated[float, typer.Option(help="Length of each counted window of the load runs.")] = 2,
    repeat: Annotated[int, typer.Option(help="Windows of each form.")] = 3,
    out: Annotated[
        Path | None,
        typer.Option(help="Directory of the report. [default: ./pitstop-demo]", show_default=False),
    ] = None,
) -> None:
    """See, cure and prove: the naive blog on real data, in under three minutes.

    Starts private servers, observes the naive form of the blog, lets `pitstop doctor` say what is slow,
    lets `pitstop fix` cure a copy of its source, and proves the tuned form and the cached one under load.
    Everything but the report is temporary.
    """
    require("libcst", extra="all", what="the steps of the demo")
    require("uvicorn", extra="all", what="the steps of the demo")
    report = (out or Path("pitstop-demo")).resolve()
    with ExitStack() as stack:
        stack.enter_context(_terminated_like_interrupted())
        stage = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pitstop-demo-")))
        _Demo(stage, stack).play(report, seconds=seconds, repeat=repeat)


class _Demo:
    """The steps, in a directory that holds a copy of the service's source."""

    def __init__(self, stage: Path, stack: ExitStack) -> None:
        self.stage = stage
        self.stack = stack
        self.console = Console(highlight=False)
        self.environment: dict[str, str] = {}

    def play(self, report: Path, *, seconds: float, repeat: int) -> None:
        """All steps in order."""
        self._say("1  Real data in a private PostgreSQL")
        self._prepare()
        self._say("2  Observe the naive blog: no change of its code")
        before = self._observe()
        self._say("3  Diagnose")
        self._command("doctor", "--exit-zero")
        self._say("4  Fix: the loader options, written into the source (a copy of it, here)")
        self._command("fix", accept=(0, 1))
        self._command("fix", "--write", accept=(0, 1))
        self._say("5  Observe again: the same requests, the same answers")
        self._compare(before, self._observe())
        length = ["--seconds", f"{seconds:g}", "--repeat", str(repeat), "--warmup", "1"]
        self._say("6  Prove the fix: the same source before and after, under the same load")
        self._prove_fix(length, report / "fix")
        self._say("7  Prove the tuned form (right columns, counts in SQL, indexes) and the cached one")
        forms = ["--forms", "naive,tuned,cached"]
        self._command("bench", _SERVICE, *forms, *length, "--out", str(report / "tuned"), measuring=True)
        self._say("8  Write while reading: clients check that no answer is older than what was acknowledged")
        mixed = ["--forms", "tuned,cached", "--scenario", "BlogMixed", "--only", "throughput"]
        length = ["--seconds", f"{2 * seconds:g}", "--repeat", "1", "--warmup", "4"]
        self._command("bench", _SERVICE, *mixed, *length, "--out", str(report / "mixed"), measuring=True)

    def _say(self, text: str) -> None:
        self.console.print()
        self.console.rule(f"[bold]{text}", align="left")

    def _prepare(self) -> None:
        from pitstop.servers import private_servers

        copy_service(self.stage)
        servers = self.stack.enter_context(private_servers(redis=False))
        self.environment = {
            "PITSTOP_DATABASE_URL": servers.database_url,
            "PITSTOP_STORE": str(self.stage / ".pitstop"),
            "PYTHONPATH": str(self.stage),
        }
        rows = self._seed(servers.database_url)
        self.console.print(
            f"{rows:,} rows of beer.stackexchange.com: who wrote what when under which post "
            "(CC BY-SA; the texts are generated at the real lengths)"
        )

    def _seed(self, url: str) -> int:
        from importlib import import_module

        seed = import_module(f"pitstop_services.{_SERVICE}.seed")
        return int(seed.seed(url, revision="0001"))

    def _observe(self) -> dict[str, tuple[float, list[object]]]:
        """Serve the naive form under ``pitstop run`` and ask it; statements and answers by route."""
        from pitstop.store import read_store

        log = self.stage / "observed.log"
        with _served(self.stage, self.environment, log=log, console=self.console) as port:
            answers = self._ask(f"http://127.0.0.1:{port}/naive")
        scopes = read_store(self.stage / ".pitstop").scopes.values()
        return {
            each.name: (each.statements / each.count, answers.get(each.name, []))
            for each in scopes
            if each.kind == "request" and each.count
        }

    def _ask(self, url: str) -> dict[str, list[object]]:
        pages = [_get(f"{url}/posts?limit=100&offset={100 * number}") for number in range(_ROUNDS)]
        posts = pages[0]["posts"][: 2 * _ROUNDS]
        details = [_get(f"{url}/posts/{post['id']}") for post in posts]
        authors = list(dict.fromkeys(post["author_id"] for post in posts if post["author_id"]))
        walls = [_get(f"{url}/users/{author}/posts") for author in authors[:_ROUNDS]]
        self.console.print(f"asked for {len(pages)} lists of 100, {len(details)} posts, {len(walls)} users")
        return {
            "GET /naive/posts": list(pages),
            "GET /naive/posts/{post_id}": list(details),
            "GET /naive/users/{user_id}/posts": list(walls),
        }

    def _prove_fix(self, length: Sequence[str], report: Path) -> None:
        """Load the source as it was and as it was fixed, unobserved, each in a process of its own."""
        fixed = {**self.environment, "PITSTOP_ENABLED": "0"}
        original = {name: value for name, value in fixed.items() if name != "PYTHONPATH"}
        elsewhere = self.stage / "elsewhere"
        elsewhere.mkdir()
        with (
            _served(elsewhere, original, log=self.stage / "before.log") as before,
            _served(self.stage, fixed, log=self.stage / "after.log") as after,
        ):
            pair = [
                "--before",
                f"http://127.0.0.1:{before}/naive",
                "--after",
                f"http://127.0.0.1:{after}/naive",
            ]
            scenario = ["--locustfile", str(_package() / "load.py"), "--scenario", "BlogList100"]
            options = [*length, "--only", "throughput", "--out", str(report), "--dsn", _DSN]
            self._command("bench", *pair, *scenario, *options, measuring=True)

    def _command(self, *words: str, accept: Sequence[int] = (0,), measuring: bool = False) -> None:
        """Run one of our own commands as a user would.

        Args:
            accept: exit codes that are fine.
            measuring: run it outside the copied source, so that a load run sees the installed package.
        """
        self.console.print(f"[bold cyan]$ pitstop {' '.join(words)}[/]\n", soft_wrap=True)
        given = [self.environment["PITSTOP_DATABASE_URL"] if word == _DSN else word for word in words]
        finished = subprocess.run(
            [sys.executable, "-m", "pitstop", *given],
            cwd=None if measuring else self.stage,
            env=os.environ if measuring else {**os.environ, **self.environment},
            check=False,
        )
        if finished.returncode not in accept:
            raise typer.Exit(finished.returncode)

    def _compare(
        self,
        before: Mapping[str, tuple[float, list[object]]],
        after: Mapping[str, tuple[float, list[object]]],
    ) -> None:
        table = Table(box=None, padding=(0, 3, 0, 0), header_style="dim")
        table.add_column("statements per request")
        for name in ("before", "after", "answers"):
            table.add_column(name, justify="right")
        for name, (count, answers) in before.items():
            then, answered = after.get(name, (float("nan"), []))
            same = "the same" if answers == answered else "[red]DIFFERENT[/]"
            table.add_row(name, f"{count:,.1f}", f"[bold green]{then:,.1f}[/]", same)
        self.console.print(table)


def copy_service(directory: Path) -> None:
    """Put the service's source below a directory, with what services have in common, to be changed."""
    home = directory / "pitstop_services"
    shutil.copytree(_package(), home / _SERVICE, ignore=_no_caches)
    for module in _package().parent.glob("*.py"):
        shutil.copy(module, home)


def _package() -> Path:
    return Path(str(resources.files(f"pitstop_services.{_SERVICE}")))


def _no_caches(directory: str, names: list[str]) -> set[str]:
    return {name for name in names if name == "__pycache__"}


def _get(url: str) -> dict[str, list[dict[str, str]]]:
    try:
        with urllib.request.urlopen(url, timeout=60) as response:  # noqa: S310 - our own server
            return dict(json.load(response))
    except urllib.error.URLError as error:
        raise ServerError(f"the naive blog did not answer: {url}: {error}") from error


@contextmanager
def _served(
    directory: Path, environment: Mapping[str, str], *, log: Path, console: Console | None = None
) -> Iterator[int]:
    """The service on a free port, from the source below a directory if there is one, else as installed.

    With a console it runs under ``pitstop run``, which is said.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    server = ["uvicorn", "--factory", _APPLICATION, "--port", str(port)]
    words = [sys.executable, "-m", *server, "--log-level", "warning"]
    if console is not None:
        console.print(f"[bold cyan]$ pitstop run --reset -- {' '.join(server)}[/]\n", soft_wrap=True)
        words = [sys.executable, "-m", "pitstop", "run", "--reset", "--", *words]
    with log.open("wb") as output:
        process = subprocess.Popen(
            words,
            cwd=directory,
            env={**os.environ, **environment},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            _wait_for(port, process, log)
            yield port
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise ServerError(f"the naive blog did not start:\n{log.read_text('utf-8', 'replace')[-2000:]}")


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """Let SIGTERM unwind the stack as Ctrl-C does, so that servers and directories are cleared away."""
    former = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)
