"""``pitstop apply``: changes of schema objects carried out on a live database, once told to."""

import asyncio
import json
import signal
import time
from collections.abc import Coroutine
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from pitstop.cli.plan import DDL, DSN, INDEXES, JSON, OTHER_DSN, as_json, chosen_dsn, read_changes

if TYPE_CHECKING:
    from pitstop.advisor.apply import News
    from pitstop.schema import Plan, Step

__all__ = ["apply"]

_PROGRESS_S = 5.0
_STYLES = {
    "waits": "yellow",
    "holds": "yellow",
    "again": "yellow",
    "left": "bold red",
    "ends": "green",
    "done": "dim",
}
_SAID = {
    "waits": "waits for ",
    "holds": "holds up ",
    "ends": "done",
    "done": "done already: ",
    "cleans": "",
}


def apply(
    dsn: DSN = None,
    dsn_option: OTHER_DSN = None,
    ddl: DDL = None,
    indexes: INDEXES = None,
    apply: Annotated[
        bool, typer.Option("--apply", "--yes", help="Run the statements instead of printing them.")
    ] = False,
    revert: Annotated[
        bool, typer.Option("--revert", help="Take the changes back, the last one first; extensions stay.")
    ] = False,
    lock_timeout: Annotated[
        float, typer.Option(min=0.05, max=5.0, help="Seconds to ask for a lock that holds writers up.")
    ] = 2.0,
    attempts: Annotated[int, typer.Option(min=1, help="How often to ask for such a lock.")] = 30,
    wait: Annotated[
        float,
        typer.Option(min=0.0, help="Seconds to wait for transactions that a concurrent build must outlast."),
    ] = 600.0,
    json_: JSON = False,
) -> None:
    """Carry out changes of indexes on a live database; a dry run unless told [bold]--apply[/].

    Indexes are built and dropped concurrently. After a kill, a crash or Ctrl-C the same command goes on where
    it was: what a broken-off build left invalid is dropped and built anew. Exit code: 0 nothing is left to
    do, 1 something is (dry run), 2 an error, 130 or 143 stopped.
    """
    from pitstop.advisor.apply import Patience, apply_changes, plan_changes
    from pitstop.schema import reverted

    url, changes = chosen_dsn(dsn_option or dsn), read_changes(ddl, indexes)
    changes = reverted(changes) if revert else changes
    if apply:
        patience = Patience(lock_timeout_s=lock_timeout, attempts=attempts, wait_s=wait)
        told = _Told(quiet=json_)
        _run(apply_changes(url, changes, report=told, patience=patience))
    made = asyncio.run(plan_changes(url, changes))
    made = _carried_out(made) if apply else made
    if json_:
        typer.echo(json.dumps({"applied": apply, **as_json(made)}, indent=2))
    elif not apply:
        typer.echo(made.sql, nl=False)
        left = (
            "Nothing was changed: --apply runs these statements."
            if made.pending
            else "Nothing is left to do."
        )
        typer.echo(f"-- {left}")
    else:
        typer.echo("Applied." if made.steps else "There was nothing to apply.")
    raise typer.Exit(1 if made.pending and not apply else 0)


def _carried_out(made: "Plan") -> "Plan":
    """A plan after the fact: the catalog does not tell that an index was built anew."""
    from pitstop.schema import Plan, ReindexIndex

    def done(step: "Step") -> "Step":
        built = isinstance(step.change, ReindexIndex)
        return replace(step, state="done", note="was built anew") if built else step

    return Plan(tuple(map(done, made.steps)))


def _run(work: Coroutine[Any, Any, None]) -> None:
    """Run to the end, or until a signal; then it takes away what it had begun."""
    stopped: list[int] = []

    async def until_signal() -> None:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()

        def stop(number: int) -> None:
            stopped.append(number)
            if task is not None:
                task.cancel()

        for each in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(each, stop, each)
        await work

    try:
        asyncio.run(until_signal())
    except asyncio.CancelledError:
        raise typer.Exit(128 + (stopped[0] if stopped else signal.SIGINT)) from None


class _Told:
    """Prints what happens, one line each; of a build's progress, each phase, and every five seconds."""

    def __init__(self, *, quiet: bool) -> None:
        self._console = Console(soft_wrap=True, highlight=False, quiet=quiet)
        self._last = ("", 0.0)

    def __call__(self, news: "News") -> None:
        if news.kind == "begins" and news.step is not None:
            note = f"  -- {news.text}" if news.text else ""
            self._console.print(Text(f"{news.step.change.sql};{note}", style="bold"))
            if news.step.revert is not None and not news.step.change.sql.startswith("CREATE"):
                self._console.print(Text(f"    to take it back: {news.step.revert.sql};", style="dim"))
        elif news.kind == "progress":
            self._progress(news)
        elif news.kind == "done" and news.step is not None:
            self._console.print(Text(f"{news.step.change.sql};  -- done already: {news.text}", style="dim"))
        else:
            said = f"    {_SAID.get(news.kind, '')}{news.text}"
            self._console.print(Text(said, style=_STYLES.get(news.kind, "")))

    def _progress(self, news: "News") -> None:
        now = time.monotonic()
        if news.text != self._last[0] or now - self._last[1] >= _PROGRESS_S:
            self._last = (news.text, now)
            known = f" {news.fraction:.0%}" if news.fraction is not None else ""
            self._console.print(Text(f"    {news.text}{known}", style="dim"))
