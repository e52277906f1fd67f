"""``pitstop forecast``: which statements turn bad when the tables grow, and what to do now."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from pitstop.cli.indexes import observed_workload
from pitstop.errors import SettingsError
from pitstop.postgres import abbreviate

if TYPE_CHECKING:
    from pitstop.advisor.forecast import Forecast

__all__ = ["forecast"]

_SQL_CHARS = 110


def forecast(
    dsn: Annotated[
        str | None, typer.Argument(help="PostgreSQL to look at. [default: $PITSTOP_DATABASE_URL]")
    ] = None,
    dsn_option: Annotated[str | None, typer.Option("--dsn", help="The same, as an option.")] = None,
    scale: Annotated[
        float, typer.Option(min=1, max=1_000_000, help="How many times larger the tables will be.")
    ] = 100,
    workload: Annotated[
        Path | None,
        typer.Option(
            help="File of statements. [default: pg_stat_statements and the record of `pitstop run`]"
        ),
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option(
            help="Directory of the record of `pitstop run`. [default: $PITSTOP_STORE or ./.pitstop]"
        ),
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print the forecast as JSON.")] = False,
) -> None:
    """Plan the workload as if the tables were many times larger; change nothing.

    Exit code: 0 nothing turns bad, 1 something does, 2 an error.
    """
    from pitstop.advisor import forecast as room
    from pitstop.advisor.indexes import read_workload
    from pitstop.settings import load_settings

    settings = load_settings()
    given = settings.database_url.get_secret_value() if settings.database_url else None
    url = dsn_option or dsn or given
    if url is None:
        raise SettingsError("no database: give a DSN, or set PITSTOP_DATABASE_URL")
    statements = read_workload(workload) if workload else observed_workload(url, store or settings.store)
    foretold = room.forecast(url, statements, scale=scale)
    if json_:
        typer.echo(json.dumps({"version": 1, **asdict(foretold)}, indent=2))
    else:
        _render(Console(soft_wrap=True, highlight=False), foretold)
    raise typer.Exit(1 if any(each.turns_bad for each in foretold.statements) else 0)


def _render(console: Console, foretold: "Forecast") -> None:
    bad = [each for each in foretold.statements if each.turns_bad]
    for each in sorted(bad, key=lambda one: -one.cost_then * one.weight):
        console.print(Text(abbreviate(each.text, max_chars=_SQL_CHARS), style="bold"))
        console.print(Text(f"    {each.cost_now:,.0f} -> {each.cost_then:,.0f}: {each.why}"))
        for cure in each.cure:
            console.print(Text(f"    now: {cure}", style="green"))
    for each in foretold.statements:
        if each.problem:
            console.print(Text(f"left out: {each.problem}", style="yellow"))
    count = len(foretold.statements)
    console.print(
        f"{len(bad)} of {count} statements turn bad when the tables are {foretold.scale:g} times larger."
    )
