"""``pitstop plan``: changes of schema objects as SQL or as a revision of Alembic; nothing is changed."""

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from pitstop.errors import SettingsError

if TYPE_CHECKING:
    from pitstop.schema import Plan, Step, Written

__all__ = ["DDL", "DSN", "INDEXES", "JSON", "OTHER_DSN", "as_json", "chosen_dsn", "read_changes"]

DSN = Annotated[
    str | None, typer.Argument(help="PostgreSQL, postgresql://... [default: $PITSTOP_DATABASE_URL]")
]
OTHER_DSN = Annotated[str | None, typer.Option("--dsn", help="The same, as an option.")]
DDL = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="SQL: CREATE, DROP or REINDEX INDEX, CREATE EXTENSION or STATISTICS, settings of a table, or "
        "a plan; - is stdin.",
    ),
]
INDEXES = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="What `pitstop indexes --json` or `pitstop doctor --json` printed; - is stdin.",
    ),
]
JSON = Annotated[bool, typer.Option("--json", help="Print the steps as JSON.")]


def plan(
    dsn: DSN = None,
    dsn_option: OTHER_DSN = None,
    ddl: DDL = None,
    indexes: INDEXES = None,
    alembic: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write a revision on top of the head of these migrations: where alembic.ini or env.py is.",
        ),
    ] = None,
    message: Annotated[
        str, typer.Option("-m", "--message", help="What the revision is called.")
    ] = "change indexes beside writers",
    sql: Annotated[bool, typer.Option("--sql", help="Print SQL. [default, unless --alembic]")] = False,
    json_: JSON = False,
) -> None:
    """Say what changes of indexes take on this database, as SQL or a migration; change nothing.

    What is there already is left out. The SQL says behind each statement how to take it back;
    [bold]pitstop apply --ddl[/] carries it out.
    """
    from pitstop.advisor.apply import plan_changes
    from pitstop.schema import write_revision

    made = asyncio.run(plan_changes(chosen_dsn(dsn_option or dsn), read_changes(ddl, indexes)))
    written = write_revision(alembic, made, message=message) if alembic and made.pending else None
    if json_:
        revision = {"revision": str(written) if written else None} if alembic else {}
        typer.echo(json.dumps({**as_json(made), **revision}, indent=2))
        return
    _tell_done(made)
    if sql or alembic is None:
        typer.echo(made.sql, nl=False)
    if written is not None:
        typer.echo(f"Wrote {written}")


def read_changes(ddl: str | None, indexes: str | None) -> "list[Written]":
    """The changes of the given files.

    Raises:
        SettingsError: no file is given, or it cannot be read.
        ChangeRefused: something in it cannot be carried out safely.
    """
    from pitstop.schema import read_script

    files = [each for each in (ddl, indexes) if each is not None]
    if not files:
        raise SettingsError(
            "nothing to change: give --ddl FILE.sql, or --indexes FILE.json of `pitstop indexes`"
        )
    return [change for each in files for change in read_script(_text(each))]


def chosen_dsn(given: str | None) -> str:
    """The database that is given, or that of the settings.

    Raises:
        SettingsError: there is none.
    """
    from pitstop.settings import load_settings

    configured = load_settings().database_url
    url = given or (configured.get_secret_value() if configured else None)
    if url is None:
        raise SettingsError("no database: give a DSN, or set PITSTOP_DATABASE_URL")
    return url


def as_json(made: "Plan") -> dict[str, Any]:
    """The steps of a plan."""
    return {"version": 1, "steps": [_step(each) for each in made.steps]}


def _step(step: "Step") -> dict[str, Any]:
    revert = step.revert.sql if step.revert else None
    return {"sql": step.change.sql, "state": step.state, "note": step.note, "revert": revert}


def _tell_done(made: "Plan") -> None:
    """On stderr, as stdout is the SQL."""
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    for step in made.steps:
        if step.state == "done":
            console.print(f"done already: {step.change.sql}: {step.note}", markup=False, style="dim")
    if not made.pending:
        console.print("Nothing is left to do.")


def _text(source: str) -> str:
    try:
        return sys.stdin.read() if source == "-" else Path(source).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SettingsError(f"cannot read changes from {source}: {reason}") from error
