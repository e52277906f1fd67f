"""``pitstop run``: observe a command without a change of its code."""

import os
from pathlib import Path
from typing import Annotated

import typer

from pitstop.bootstrap import environment, launch
from pitstop.settings import load_settings
from pitstop.store import reset_store

__all__ = ["run"]


def run(
    command: Annotated[
        list[str],
        typer.Argument(metavar="COMMAND", help="the command and its arguments", show_default=False),
    ],
    store: Annotated[
        Path | None,
        typer.Option(help="directory of the record; else PITSTOP_STORE, else ./.pitstop", show_default=False),
    ] = None,
    reset: Annotated[bool, typer.Option("--reset", help="forget what was observed before")] = False,
) -> None:
    """Observe any ASGI application or script: pitstop run -- uvicorn shop.main:app --workers 2

    The command takes the place of this process: its output, signals and exit code are its own. What
    was seen is folded into a bounded local record; `pitstop doctor` reads it, also while it runs.
    """
    settings = load_settings()
    directory = store or settings.store
    if reset:
        reset_store(directory)
    if not settings.enabled:
        typer.echo("pitstop: not observing, because PITSTOP_ENABLED is off", err=True)
        launch(command, environ=os.environ)
    typer.echo(f"pitstop: observing; see it with `pitstop doctor{_option(store)}`", err=True)
    launch(command, environ=environment(os.environ, store=directory))


def _option(store: Path | None) -> str:
    return f" --store {store}" if store else ""
