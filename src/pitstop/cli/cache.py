"""``pitstop cache``: the outbox and its triggers in the database; a cache in Redis, seen and dropped."""

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from pitstop.errors import ServerNotFound, SettingsError

if TYPE_CHECKING:
    import psycopg

    from pitstop.cache import Cache
    from pitstop.cache.inspection import RedisReport

__all__ = ["app", "connected", "database_url"]

app = typer.Typer(
    help="The outbox and triggers of a cache in PostgreSQL; what is in Redis, seen and dropped.",
    no_args_is_help=True,
)

_Dsn = Annotated[
    str | None, typer.Argument(help="The database, postgresql://... [default: $PITSTOP_DATABASE_URL]")
]
_Redis = Annotated[str | None, typer.Argument(help="The Redis, redis://... [default: $PITSTOP_REDIS_URL]")]
_RedisUrl = Annotated[str, typer.Argument(help="The Redis, redis://...")]
_Namespace = Annotated[str, typer.Option(help="Namespace of the cache.")]
_Apply = Annotated[bool, typer.Option("--apply", help="Run the statements instead of printing them.")]
_Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]

_CONNECT_SECONDS = 5
_TARGET = 0.8


@app.command()
def install(dsn: _Dsn = None, apply: _Apply = False, json_: _Json = False) -> None:
    """Make the outbox: the table where invalidations wait while Redis is away.

    Prints the statements; runs them with --apply. Processes that run already find the table within a minute.
    """
    from pitstop.cache.triggers import install_ddl

    _carry_out(dsn, install_ddl, apply=apply, json_=json_, nothing="The outbox is there already.")


@app.command("install-triggers")
def install_triggers(
    dsn: Annotated[str, typer.Argument(help="The database, postgresql://...")],
    tables: Annotated[
        list[str],
        typer.Argument(metavar="TABLE=TEMPLATE...", help="Tables and tags of their rows: orders=order:{id}"),
    ],
    namespace: _Namespace = "pitstop",
    track: Annotated[
        bool, typer.Option("--track", help="Tell the automatic tags of functions with track=True as well.")
    ] = False,
    apply: _Apply = False,
    json_: _Json = False,
) -> None:
    """Make triggers, by which what others change in tables reaches the cache.

    Prints the statements; runs them with --apply. Triggers of before on the same tables are replaced.
    """
    from pitstop.cache.triggers import parse_tables, trigger_ddl

    wanted = parse_tables(tables)
    _carry_out(
        dsn,
        lambda connection: trigger_ddl(connection, wanted, namespace=namespace, track=track),
        apply=apply,
        json_=json_,
    )


@app.command()
def uninstall(dsn: _Dsn = None, apply: _Apply = False, json_: _Json = False) -> None:
    """Remove the outbox and all triggers.

    Prints the statements; runs them with --apply. What waits in the outbox is lost with it.
    """
    from pitstop.cache.triggers import uninstall_ddl

    _carry_out(dsn, uninstall_ddl, apply=apply, json_=json_, nothing="Nothing of the outbox is there.")


@app.command()
def stats(
    redis: _Redis = None,
    dsn: Annotated[
        str | None, typer.Option(help="Database whose outbox is counted as well; none unless given.")
    ] = None,
    namespace: _Namespace = "pitstop",
    json_: _Json = False,
) -> None:
    """Say what a cache has in Redis, who uses it, and what is slow there."""
    from pitstop.cache.inspection import inspect_redis

    report = inspect_redis(_redis_url(redis), namespace=namespace)
    waiting = _waiting(dsn, namespace) if dsn else None
    if json_:
        typer.echo(json.dumps({"version": 1, **report.as_json(), "outbox": waiting}, indent=2))
    else:
        _render(Console(soft_wrap=True, highlight=False), report, waiting)


@app.command()
def invalidate(
    redis: _RedisUrl,
    tags: Annotated[list[str], typer.Argument(metavar="TAG...", help="Tags or families: order:7, order.")],
    namespace: _Namespace = "pitstop",
    json_: _Json = False,
) -> None:
    """Invalidate tags in every process. When it ends, nobody serves what carried them."""
    asyncio.run(_with_cache(redis, namespace, lambda cache: cache.invalidate(*tags)))
    _say({"invalidated": tags}, f"Invalidated {', '.join(tags)}.", json_=json_)


@app.command()
def clear(redis: _Redis = None, namespace: _Namespace = "pitstop", json_: _Json = False) -> None:
    """Drop every value of a cache, in Redis and in the memory of every process."""
    dropped = asyncio.run(_with_cache(_redis_url(redis), namespace, lambda cache: cache.clear()))
    _say({"dropped": dropped}, f"Dropped {dropped:,} values.", json_=json_)


async def _with_cache(url: str, namespace: str, action: "Callable[[Cache], Any]") -> Any:
    from pitstop.cache import Cache

    async with Cache(url, namespace=namespace, on_fence_failure="refuse", enabled=True) as cache:
        await cache.start()
        return await action(cache)


def _carry_out(
    dsn: str | None,
    ddl: "Callable[[psycopg.Connection[Any]], list[str]]",
    *,
    apply: bool,
    json_: bool,
    nothing: str = "Nothing to do.",
) -> None:
    """Print statements, or run them."""
    from pitstop.cache.triggers import apply as run

    with connected(database_url(dsn)) as connection:
        statements = ddl(connection)
        if apply and statements:
            run(connection, statements)
    if json_:
        typer.echo(json.dumps({"version": 1, "applied": apply, "statements": statements}, indent=2))
        return
    for each in statements:
        typer.echo(f"{each};\n")
    if not statements:
        typer.echo(nothing)
    elif apply:
        typer.echo("-- Applied.")
    else:
        typer.echo("-- Nothing was changed: --apply runs these statements.")


@contextmanager
def connected(dsn: str) -> "Iterator[psycopg.Connection[Any]]":
    """A connection to a database; its errors say which one."""
    import psycopg

    from pitstop.postgres.address import libpq_url, place

    try:
        with psycopg.connect(libpq_url(dsn), connect_timeout=_CONNECT_SECONDS, autocommit=True) as connection:
            yield connection
    except psycopg.Error as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ServerNotFound(f"the database at {place(dsn)} cannot be used: {reason}") from error


def database_url(given: str | None) -> str:
    """The database that is given, or that of the settings."""
    from pitstop.settings import load_settings

    configured = load_settings().database_url
    url = given or (configured.get_secret_value() if configured else None)
    if url is None:
        raise SettingsError("no database: give postgresql://user:password@host/name or PITSTOP_DATABASE_URL")
    return url


def _redis_url(given: str | None) -> str:
    from pitstop.settings import load_settings

    configured = load_settings().redis_url
    url = given or (configured.get_secret_value() if configured else None)
    if url is None:
        raise SettingsError("no redis: give redis://host:port/0 or PITSTOP_REDIS_URL")
    return url


def _waiting(dsn: str, namespace: str) -> dict[str, Any]:
    """What waits in the outbox."""
    from pitstop.cache.outbox import outbox_sql

    with connected(dsn) as connection:
        row = connection.execute("SELECT to_regclass('pitstop_outbox') IS NOT NULL").fetchone()
        if not row or not row[0]:
            return {"installed": False, "rows": 0, "oldest_seconds": None}
        found = connection.execute(outbox_sql("outbox_waiting"), {"namespace": namespace}).fetchone()
    count, oldest = found or (0, None)
    return {"installed": True, "rows": count, "oldest_seconds": oldest}


def _render(console: Console, report: "RedisReport", waiting: dict[str, Any] | None) -> None:
    keys = ", ".join(f"{count:,} {kind}" for kind, count in sorted(report.keys.items())) or "none"
    partly = "" if report.is_complete else f" of the first {report.scanned:,} looked at"
    lines = [
        ("keys", f"{keys}{partly}"),
        ("processes", f"{report.holders} hold a lease"),
        ("epoch", "none: no process has joined" if report.epoch_seconds is None else _age(report)),
    ]
    if waiting is not None:
        lines.append(("outbox", _outbox(waiting)))
    console.print(Text(f"Cache {report.namespace!r}", style="bold"))
    for server in report.servers:
        limit = f" of {server.max_bytes / 2**20:,.0f}" if server.max_bytes else ""
        lines.append(("server", f"{server.address}, Redis {server.version}"))
        lines.append(("memory", f"{server.used_bytes / 2**20:,.1f}{limit} MiB, {server.policy}"))
        lines.append(("evicted", f"{server.evicted_keys:,} keys"))
        lines.append(("found", _found(server.keyspace_hits, server.keyspace_misses)))
        lines += [("slow", f"{each.command} {each.ms:,.1f} ms") for each in server.slow]
    _print(console, lines)


def _age(report: "RedisReport") -> str:
    return f"for {report.epoch_seconds or 0.0:,.0f} s; what was stored before is void"


def _found(hits: int, misses: int) -> str:
    if not hits + misses:
        return "nothing was asked for yet"
    rate = hits / (hits + misses)
    below = "" if rate >= _TARGET else f", below the usual target of {_TARGET:.0%}"
    return f"{rate:.0%} of the keys that anybody read since the server started{below}"


def _outbox(waiting: dict[str, Any]) -> str:
    if not waiting["installed"]:
        return "not installed"
    if not waiting["rows"]:
        return "empty"
    return f"{waiting['rows']:,} rows wait, the oldest for {waiting['oldest_seconds']:,.0f} s"


def _print(console: Console, lines: Sequence[tuple[str, str]]) -> None:
    for label, text in lines:
        console.print(Text(f"  {label:<10}", style="dim").append(text, style="none"))


def _say(result: dict[str, Any], text: str, *, json_: bool) -> None:
    typer.echo(json.dumps({"version": 1, **result}, indent=2) if json_ else text)
