"""``pitstop tune``: settings of a PostgreSQL server that fit its machine, its data and its load."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pitstop.errors import SettingsError

if TYPE_CHECKING:
    from pitstop.bench.settings_trial import Trial
    from pitstop.pool.tune import Machine, Memory, Tuning
    from pitstop.postgres.server import ServerState

__all__ = ["tune"]

_MIB = 1024**2
_MOST_SCALE = 50
_LOCAL = ("", "localhost", "127.0.0.1", "::1")


def tune(
    dsn: Annotated[
        str | None,
        typer.Argument(help="PostgreSQL whose data, settings and counts decide too. Nothing is changed."),
    ] = None,
    dsn_option: Annotated[str | None, typer.Option("--dsn", help="The same, as an option.")] = None,
    ram: Annotated[
        str | None, typer.Option(help="Memory that the server may use: 16GB. [default: this machine's]")
    ] = None,
    cores: Annotated[
        int | None, typer.Option(min=1, help="Cores of the server. [default: this machine's]")
    ] = None,
    disk: Annotated[Literal["ssd", "hdd", "san"], typer.Option(help="Its disk; NVMe is ssd.")] = "ssd",
    load: Annotated[
        Literal["web", "oltp", "mixed", "warehouse"],
        typer.Option(help="Many short statements, many writes, some of each, few large statements."),
    ] = "web",
    connections: Annotated[
        int | None, typer.Option(min=5, help="Connections it needs. [default: its max_connections]")
    ] = None,
    format_: Annotated[
        Literal["text", "sql", "conf", "json"], typer.Option("--format", help="How to print the advice.")
    ] = "text",
    json_: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    measure: Annotated[
        bool,
        typer.Option(
            "--measure", help="Keep only what makes pgbench faster on private servers; takes some minutes."
        ),
    ] = False,
    script: Annotated[
        Path | None,
        typer.Option(help="With --measure: a pgbench script for a copy of the database of DSN."),
    ] = None,
    seconds: Annotated[
        int | None, typer.Option(min=1, help="With --measure: length of each window. [default: 4]")
    ] = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Run ALTER SYSTEM on the server and reload its settings.")
    ] = False,
) -> None:
    """Advise on postgresql.conf: what to set, why, and the memory that is taken at the worst.

    Nothing is changed without --apply. Exit code: 0 nothing to change (or applied), 1 advice, 2 an error.
    """
    from pitstop.pool.tune import tune as advise
    from pitstop.postgres.server import read_server

    url = dsn_option or dsn
    if apply and url is None:
        raise SettingsError("--apply needs the address of the server")
    if not measure and (script is not None or seconds is not None):
        raise SettingsError("--script and --seconds are for --measure: add it")
    machine = _machine(url, ram=ram, cores=cores, disk=disk, load=load)
    server = read_server(url) if url else None
    tuning = advise(machine, server, connections=connections)
    if measure:
        tuning = _measured(tuning, url, server, script=script, seconds=seconds or 4)
    _print(tuning, "json" if json_ else format_, applied=apply)
    if apply and url is not None:
        _apply(url, tuning)
    raise typer.Exit(1 if tuning.advice and not apply else 0)


def _measured(
    tuning: "Tuning", url: str | None, server: "ServerState | None", *, script: Path | None, seconds: int
) -> "Tuning":
    """What a run accepts, and what no run can tell."""
    from pitstop.bench.settings_trial import SettingsTrial, measure_settings

    if script is not None and url is None:
        raise SettingsError("--script needs the address of the database that it is for")
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    scale = min(max((server.data_bytes if server else 150 * _MIB) // (15 * _MIB), 1), _MOST_SCALE)
    how = SettingsTrial(seconds=seconds, scale=scale, source=url, script=script)
    trials = measure_settings(tuning, how, progress=lambda line: console.print(line, style="dim"))
    for each in trials:
        console.print(_told(each), style="green" if each.accepted else "none")
    refused = {one.name for each in trials if not each.accepted for one in each.advice}
    return tuning.without(refused)


def _told(trial: "Trial") -> str:
    low, high = trial.ratio.low or 0.0, trial.ratio.high or 0.0
    verdict = "accepted" if trial.accepted else "slower, left out" if high < 1.0 else "no gain, left out"
    if not trial.advice:
        verdict = "what the machine's other work makes of it"
    return (
        f"{trial.group}: {trial.before:,.0f} to {trial.after:,.0f} transactions/s, "
        f"x {trial.ratio.value:.2f} ({low:.2f} to {high:.2f}): {verdict}"
    )


def _machine(
    url: str | None,
    *,
    ram: str | None,
    cores: int | None,
    disk: Literal["ssd", "hdd", "san"],
    load: Literal["web", "oltp", "mixed", "warehouse"],
) -> "Machine":
    from pitstop.pool.tune import Machine, parse_bytes, this_machine

    if ram is not None and cores is not None:
        return Machine(parse_bytes(ram), cores, disk, load)
    if url is not None and not _is_here(url):
        raise SettingsError(
            "the server is on another machine: say its memory and cores, --ram 16GB --cores 4"
        )
    here = this_machine(disk=disk, load=load)
    return Machine(parse_bytes(ram) if ram else here.ram_bytes, cores or here.cores, disk, load)


def _is_here(url: str) -> bool:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        host = make_url(url).host or ""
    except (ArgumentError, ValueError) as error:
        raise SettingsError("a database address looks like postgresql://user:password@host/name") from error
    return host in _LOCAL or host.startswith("/")


def _print(tuning: "Tuning", form: str, *, applied: bool) -> None:
    from pitstop.pool.tune import as_conf, as_json, as_sql

    if form == "text":
        _render(tuning, applied=applied)
    else:
        typer.echo(
            as_sql(tuning)
            if form == "sql"
            else as_conf(tuning)
            if form == "conf"
            else json.dumps(as_json(tuning), indent=2),
            nl=form == "json",
        )


def _render(tuning: "Tuning", *, applied: bool) -> None:
    console = Console(soft_wrap=True, highlight=False)
    machine = tuning.machine
    console.print(
        f"For {_gigabytes(machine.ram_bytes)} of RAM, {machine.cores} cores, {machine.disk}, "
        f"load: {machine.load}",
        style="dim",
    )
    if tuning.advice:
        console.print(_table(tuning))
        for each in tuning.advice:
            console.print(Text(f"  {each.name}: {each.reason}."), Text(f"[{each.source}]", style="dim"))
    else:
        console.print("Nothing to change.", style="bold green")
    console.print()
    if tuning.current_memory is not None:
        _print_memory(console, "at the worst, as it is set", tuning.current_memory, machine.ram_bytes)
    _print_memory(console, "at the worst, as advised", tuning.memory, machine.ram_bytes)
    for note in tuning.notes:
        console.print(Text(f"Mind: {note}."))
    if tuning.advice and not applied:
        console.print("--format sql or conf prints it for the server; --apply runs it. Nothing was changed.")


def _table(tuning: "Tuning") -> Table:
    known = tuning.current_memory is not None
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("setting")
    for name in (*(["now"] if known else []), "advised"):
        table.add_column(name, justify="right")
    table.add_column("")
    for each in tuning.advice:
        now = [each.current or "none"] if known else []
        table.add_row(each.name, *now, each.value, "restart" if each.restart else "")
    return table


def _print_memory(console: Console, title: str, memory: "Memory", ram_bytes: int) -> None:
    worst = memory.worst_bytes
    console.print(
        f"Memory {title}: {_gigabytes(worst)} of {_gigabytes(ram_bytes)}"
        f" ({memory.connections} connections x {memory.nodes} sorts or hashes x "
        f"{memory.work_mem / 1024**2:,.0f} MB x {memory.hash_mem_multiplier:g}, "
        f"{_gigabytes(memory.shared_buffers)} of buffers, "
        f"{memory.vacuum_workers} x {memory.maintenance_work_mem / 1024**2:,.0f} MB for maintenance)",
        style="bold red" if worst > ram_bytes else "none",
    )


def _gigabytes(number: int) -> str:
    return f"{number / 1024**3:,.1f} GB"


def _apply(url: str, tuning: "Tuning") -> None:
    from pitstop.pool.tune import apply_tuning

    console = Console(stderr=True, highlight=False)
    apply_tuning(url, tuning)
    waiting = [each.name for each in tuning.advice if each.restart]
    console.print(f"{len(tuning.advice)} settings were written and reloaded.")
    if waiting:
        console.print(f"Restart the server for: {', '.join(waiting)}")
