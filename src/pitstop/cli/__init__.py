"""The ``pitstop`` command: one file per sub-command, all with ``--help`` and ``--json`` where they report.

Exit codes: 0 nothing to complain about, 1 findings or a regression, 2 bad usage or an error that
the message explains, 130 interrupted.
"""

import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from pitstop import __version__
from pitstop.cli import (
    apply,
    bench,
    cache,
    cache_warm,
    demo,
    doctor,
    explain,
    fix,
    forecast,
    indexes,
    plan,
    run,
    serve,
    statements,
    tune,
)
from pitstop.errors import PitstopError

__all__ = ["app", "main"]

app = typer.Typer(
    name="pitstop",
    help="Makes slow Python backends fast, and proves it: observe, diagnose, fix, prove.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="rich",
)

# the first word that is no option begins the command; all after it is the command's own
app.command("run", context_settings={"allow_interspersed_args": False})(run.run)
app.command("doctor")(doctor.doctor)
app.command("statements")(statements.statements)
app.command("explain")(explain.explain)
app.command("indexes")(indexes.indexes)
app.command("forecast")(forecast.forecast)
app.command("plan")(plan.plan)
app.command("apply")(apply.apply)
app.command("fix")(fix.fix)
app.command("bench")(bench.bench)
app.command("tune")(tune.tune)
app.command("serve")(serve.serve)
app.command("demo")(demo.demo)
cache.app.command("warm")(cache_warm.warm)
app.add_typer(cache.app, name="cache")


def _tell_version(asked: bool) -> None:
    if asked:
        typer.echo(f"pitstop {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_tell_version, help="Show the version.")
    ] = False,
) -> None:
    """Observe, diagnose, fix, prove."""


def main() -> None:
    """Run the command line; errors of ours become one line on stderr and exit code 2."""
    try:
        app()
    except PitstopError as error:
        message = escape(str(error))  # it may say pitstop[extra]
        Console(stderr=True, soft_wrap=True).print(f"[bold red]pitstop:[/] {message}", highlight=False)
        sys.exit(2)
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(130)
