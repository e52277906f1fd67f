"""``pitstop statements``: calls, times and rows of each statement, by the application and by the server."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.text import Text

from pitstop.errors import StoreError
from pitstop.postgres import abbreviate

if TYPE_CHECKING:
    from pitstop.advisor.statements import Application, Server, StatementStatistics
    from pitstop.postgres.statements import ServerStatements
    from pitstop.store import Observations

__all__ = ["statements"]

_SQL_CHARS = 120
_APPLICATION = {
    "calls": "calls",
    "total_ms": "total ms",
    "mean_ms": "mean ms",
    "p95_ms": "p95 ms",
    "max_ms": "max ms",
    "rows": "rows",
}
_SERVER = {
    "calls": "calls",
    "mean_ms": "mean ms",
    "rows": "rows",
    "blocks_hit": "hit",
    "blocks_read": "read",
}


def statements(
    database: Annotated[
        str | None,
        typer.Option(
            "--database",
            "--dsn",
            metavar="URL",
            help="PostgreSQL whose pg_stat_statements is read as well. [default: $PITSTOP_DATABASE_URL]",
        ),
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option(
            help="Directory of the record of `pitstop run`. [default: $PITSTOP_STORE or ./.pitstop]"
        ),
    ] = None,
    sort: Annotated[
        Literal["total", "mean", "p95", "calls"], typer.Option(help="What the largest of comes first.")
    ] = "total",
    limit: Annotated[int, typer.Option(min=0, help="How many to show; 0 for all.")] = 20,
    json_: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False,
) -> None:
    """Say how often each statement ran, how long it took and what it brought.

    Reads what `pitstop run` (or `Pitstop(app)`) recorded and, where a database is given, what the server
    counted; changes neither. Exit code: 0, or 2 for an error.
    """
    from pitstop.advisor.statements import merge_statements, sort_statements
    from pitstop.settings import load_settings

    settings = load_settings()
    given = settings.database_url.get_secret_value() if settings.database_url else None
    url = database or given
    server = _ask(url) if url else None
    observations = _observed(store or settings.store, alone=server is None)
    merged = merge_statements(observations, server.rows if server else ())
    shown = sort_statements(merged, by=sort)[: limit or None]
    if json_:
        typer.echo(json.dumps(_as_json(shown, len(merged), server), indent=2))
    else:
        _render(shown, len(merged), server)


def _ask(url: str) -> "ServerStatements":
    from pitstop.postgres.catalog import read_statements

    return read_statements(url)


def _observed(directory: Path, *, alone: bool) -> "Observations":
    from pitstop.store import Observations, read_store

    try:
        return read_store(directory)
    except StoreError:
        if alone:
            raise
        return Observations()


def _as_json(
    shown: "list[StatementStatistics]", count: int, server: "ServerStatements | None"
) -> dict[str, Any]:
    return {
        "version": 1,
        "count": count,
        "server": None if server is None else {"missing": server.missing or None, "hidden": server.hidden},
        "statements": [each.as_json() for each in shown],
    }


def _render(shown: "list[StatementStatistics]", count: int, server: "ServerStatements | None") -> None:
    console = Console(soft_wrap=True, highlight=False)
    both = bool(server and server.rows)
    if shown:
        _print_head(console, both=both)
    else:
        console.print("No statement was seen.")
    for each in shown:
        console.print(
            _figures(each.application, _APPLICATION) + (_figures(each.server, _SERVER) if both else "")
        )
        console.print(Text(f"{'':>10}{abbreviate(each.text, max_chars=_SQL_CHARS)}"))
        console.print(Text(f"{'':>10}{_place(each.application)}", style="dim"))
    if len(shown) < count:
        console.print(f"... and {count - len(shown):,} more: --limit 0 shows all", style="dim")
    if server is not None and server.missing:
        console.print(Text(f"The server's side is not known: {server.missing}."))
    elif server is not None and server.hidden:
        console.print(
            f"{server.hidden:,} statements of other users are hidden: GRANT pg_read_all_stats TO this user."
        )


def _print_head(console: Console, *, both: bool) -> None:
    titles, names = f"{'application':>{10 * len(_APPLICATION)}}", _names(_APPLICATION)
    if both:
        titles, names = f"{titles}{'server':>{10 * len(_SERVER)}}", names + _names(_SERVER)
        console.print(titles, style="dim")
    console.print(names, style="dim")


def _names(columns: dict[str, str]) -> str:
    return "".join(f"{name:>10}" for name in columns.values())


def _figures(side: "Application | Server | None", columns: dict[str, str]) -> str:
    return "".join(f"{_number(getattr(side, name, None)):>10}" for name in columns)


def _number(value: float | None) -> str:
    if value is None or value < 0:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.0f}" if value >= 1000 else f"{value:,.2f}"


def _place(seen: "Application | None") -> str:
    if seen is None:
        return "only the server knows it"
    more = f", and {seen.scopes - 1} more" if seen.scopes > 1 else ""
    if seen.location is None:
        return f"{seen.scope}{more}"
    file, line, function = seen.location
    near = os.path.relpath(file)
    return f"{seen.scope}, {file if near.startswith('..') else near}:{line} in {function}{more}"
