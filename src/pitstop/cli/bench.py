"""``pitstop bench``: the same load before and after; the proof as table, JSON and page."""

import re
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn
from rich.text import Text

from pitstop.bench import (
    Change,
    Moment,
    Result,
    ServerPair,
    Service,
    compare,
    dump_result,
    load_result,
    render_table,
    run_bench,
    write_report,
)
from pitstop.errors import BenchError
from pitstop.settings import load_settings

__all__ = ["bench"]

LOAD = "Load"
OWN = "Your own servers"


def bench(
    service: Annotated[
        str | None, typer.Argument(help="A reference service, e.g. blog.", show_default=False)
    ] = None,
    *,
    before: Annotated[
        str | None, typer.Option(metavar="URL", help="Server to compare with.", rich_help_panel=OWN)
    ] = None,
    after: Annotated[
        str | None, typer.Option(metavar="URL", help="Server to be proved.", rich_help_panel=OWN)
    ] = None,
    locustfile: Annotated[Path | None, typer.Option(help="What the users do.", rich_help_panel=OWN)] = None,
    scenario: Annotated[
        str, typer.Option(help="User class of the load, if there are several.", rich_help_panel=LOAD)
    ] = "",
    dsn: Annotated[
        str | None,
        typer.Option(help="Their PostgreSQL, for queries/request.", rich_help_panel=OWN, show_default=False),
    ] = None,
    before_pid: Annotated[
        int | None, typer.Option(help="Process of --before, if it is not found.", rich_help_panel=OWN)
    ] = None,
    after_pid: Annotated[
        int | None, typer.Option(help="Process of --after, if it is not found.", rich_help_panel=OWN)
    ] = None,
    forms: Annotated[
        str,
        typer.Option(help="Forms of the service, the first is the base: naive,tuned.", show_default=False),
    ] = "",
    scale: Annotated[
        int | None, typer.Option(help="How often the service's data is repeated.", show_default=False)
    ] = None,
    users: Annotated[int, typer.Option(help="Users of the latency run.", rich_help_panel=LOAD)] = 100,
    throughput_users: Annotated[
        int, typer.Option(help="Users of the throughput run.", rich_help_panel=LOAD)
    ] = 16,
    seconds: Annotated[float, typer.Option(help="Length of each counted window.", rich_help_panel=LOAD)] = 20,
    repeat: Annotated[int, typer.Option(help="Windows of each form.", rich_help_panel=LOAD)] = 3,
    warmup: Annotated[
        float, typer.Option(help="Seconds before each window that do not count.", rich_help_panel=LOAD)
    ] = 3,
    only: Annotated[
        Literal["throughput", "latency"] | None,
        typer.Option(help="Make one of the two measurements.", rich_help_panel=LOAD, show_default=False),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Directory of the report.", show_default="./pitstop-bench-...")
    ] = None,
    compare_with: Annotated[
        Path | None,
        typer.Option(
            "--compare",
            help="Earlier result.json; exit code 1 if something became worse.",
            show_default=False,
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON and nothing else.")] = False,
) -> None:
    """Prove that something became faster: the same load on both, interleaved, with intervals.

    Exit code 1 if a form answered with errors, or is worse than in the result --compare.

    pitstop bench blog

    pitstop bench --before http://127.0.0.1:8000 --after http://127.0.0.1:8001 --locustfile load.py
    """
    earlier = load_result(compare_with) if compare_with else None
    subject = (
        _service(service, forms=forms, scale=scale, scenario=scenario, own=(before, after, locustfile))
        if service
        else _servers(before, after, locustfile, scenario, dsn, before_pid, after_pid)
    )
    with _terminated_like_interrupted(), _shown(quiet=json) as progress:
        result = run_bench(
            subject,
            users=users,
            throughput_users=throughput_users,
            seconds=seconds,
            repeat=repeat,
            warmup=warmup,
            only=only,
            progress=progress,
            command=_command(),
        )
    _present(result, out or _default_directory(service or "servers"), as_json=json)
    regressed = _compare(earlier, result) if earlier else False
    if result.failed or regressed:
        raise typer.Exit(1)


def _service(name: str, *, forms: str, scale: int | None, scenario: str, own: tuple[object, ...]) -> Service:
    if any(own):
        raise BenchError(
            f"service {name!r} brings its own servers and load: leave out the options of your own"
        )
    chosen = tuple(form.strip() for form in forms.split(",") if form.strip())
    given = load_settings().database_url
    return Service(name, chosen, scale, given.get_secret_value() if given else None, scenario)


def _servers(
    before: str | None,
    after: str | None,
    locustfile: Path | None,
    scenario: str,
    dsn: str | None,
    before_pid: int | None,
    after_pid: int | None,
) -> ServerPair:
    if not (before and after and locustfile):
        raise BenchError("nothing to measure: name a service (blog) or give --before, --after, --locustfile")
    return ServerPair(before, after, locustfile, scenario, dsn, before_pid, after_pid)


def _command() -> str:
    """The command line, as it can be repeated; passwords in addresses stay out of reports."""
    return re.sub(r"//[^/@\s]*@", "//...@", shlex.join(["pitstop", *sys.argv[1:]]))


def _default_directory(subject: str) -> Path:
    return Path(f"pitstop-bench-{subject}-{datetime.now().strftime('%Y%m%d-%H%M%S')}")


def _present(result: Result, directory: Path, *, as_json: bool) -> None:
    page = write_report(result, directory)
    if as_json:
        sys.stdout.write(dump_result(result).decode())
        return
    console = Console()
    console.print()
    console.print(render_table(result))
    console.print(f"report: {page}", style="bold", highlight=False, soft_wrap=True)


def _compare(earlier: Result, result: Result) -> bool:
    """Tell on standard error what changed since an earlier result; whether something became worse."""
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    comparison = compare(earlier, result)
    for warning in comparison.warnings:
        console.print(Text(f"note: {warning}", style="yellow"))
    for change in comparison.changes:
        console.print(Text(f"{change}{'  WORSE' if change.regressed else ''}", style=_colour(change)))
    return bool(comparison.regressions)


def _colour(change: Change) -> str:
    if change.regressed:
        return "bold red"
    return "green" if change.low is not None and change.low > 1.0 else "dim"


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """Let SIGTERM unwind the stack as Ctrl-C does, so that servers and databases are cleared away."""

    def leave(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    former = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)


@contextmanager
def _shown(*, quiet: bool) -> Iterator[Callable[[Moment], None]]:
    """Show the progress on standard error: live on a terminal, else a line for each step."""
    console = Console(stderr=True)
    if quiet and not console.is_terminal:
        yield lambda moment: None
    elif console.is_terminal:
        with _bar(console) as show:
            yield show
    else:
        lines = _Lines(console)
        yield lines.show
        lines.close()


@contextmanager
def _bar(console: Console) -> Iterator[Callable[[Moment], None]]:
    columns = (
        SpinnerColumn(),
        BarColumn(bar_width=28),
        TaskProgressColumn(),
        TextColumn("{task.description}"),
        TextColumn("{task.fields[rate]}", style="cyan"),
        TextColumn("{task.fields[left]}", style="dim"),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting", total=1.0, rate="", left="")

        def show(moment: Moment) -> None:
            bar.update(
                task,
                completed=moment.fraction,
                description=moment.doing,
                rate=_rate(moment),
                left=_left(moment),
            )

        yield show


class _Lines:
    """Progress as plain lines: one when a step begins, and its rate when the next one does."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._begun = time.monotonic()
        self._rate = ""

    def show(self, moment: Moment) -> None:
        """Print the beginning of each step."""
        if not moment.fresh:
            self._rate = _rate(moment)
            return
        self.close()
        elapsed = time.monotonic() - self._begun
        self._console.print(f"[{elapsed:4.0f} s] {moment.doing}", markup=False, highlight=False)

    def close(self) -> None:
        """Print the rate of the step that has ended."""
        if self._rate:
            self._console.print(f"         {self._rate}", markup=False, highlight=False)
        self._rate = ""


def _rate(moment: Moment) -> str:
    if moment.requests_per_s is None:
        return ""
    errors = f", {moment.errors:,} errors" if moment.errors else ""
    digits = 1 if moment.requests_per_s < 10 else 0
    return f"{moment.requests_per_s:,.{digits}f} requests/s{errors}"


def _left(moment: Moment) -> str:
    if moment.left_s is None:
        return ""
    minutes, seconds = divmod(round(moment.left_s), 60)
    return f"{minutes}:{seconds:02d} left"
