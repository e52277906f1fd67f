"""``pitstop cache warm``: values of a cached function, loaded before anybody asks for them."""

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pitstop.cli.cache import connected, database_url
from pitstop.errors import SettingsError

if TYPE_CHECKING:
    from pitstop.cache import AsyncCached, Cache, SyncCached

__all__ = ["warm"]

_SHOWN_ERRORS = 5


def warm(
    function: Annotated[
        str, typer.Argument(metavar="MODULE:FUNCTION", help="Cached function: shop.rates:rate")
    ],
    source: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="FILE", help="Arguments: FILE.json, FILE.csv, or - for standard input."
        ),
    ] = None,
    sql: Annotated[str | None, typer.Option(help="A query whose rows are the arguments.")] = None,
    dsn: Annotated[
        str | None, typer.Option(help="Database of --sql. [default: $PITSTOP_DATABASE_URL]")
    ] = None,
    with_: Annotated[
        list[str] | None,
        typer.Option(
            "--with", metavar="ARGUMENT=MODULE:MAKER", help="What makes an argument anew for each load."
        ),
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Loads at once.")] = 10,
    json_: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Load and keep the values of many arguments, with the cache that the function's module makes.

    Give --from or --sql; neither calls a function without arguments. A load that fails does not end the
    others. Exit code: 0 all are kept, 1 some are not, 2 nothing was loaded because of an error.
    """
    sys.path.insert(0, "")  # as `python -m` has it
    cached, using = _cached(function), dict(map(_maker, with_ or ()))
    calls = _calls(cached, function, source=source, sql=sql, dsn=dsn, given=list(using))
    result = _Result(function)
    with _shown(len(calls), quiet=json_) as progress:
        asyncio.run(_warmed(cached, calls, result, concurrency=concurrency, using=using, progress=progress))
    if json_:
        typer.echo(json.dumps(result.as_json(), indent=2))
    else:
        _say(result)
    raise typer.Exit(1 if result.failed or result.unkept else 0)


@dataclass(slots=True)
class _Result:
    function: str
    loaded: int = 0
    seconds: float = 0.0
    failed: int = 0
    errors: list[str] = field(default_factory=list)
    unkept: Counter[str] = field(default_factory=Counter)

    def fail(self, call: dict[str, Any], error: Exception) -> None:
        """A load failed; the first errors are told."""
        self.failed += 1
        if self.failed <= _SHOWN_ERRORS:
            given = ", ".join(f"{name}={value!r}" for name, value in call.items())
            self.errors.append(f"{self.function}({given}): {type(error).__name__}: {error}")

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "version": 1,
            "function": self.function,
            "loaded": self.loaded,
            "failed": self.failed,
            "unkept": dict(self.unkept),
            "errors": self.errors,
            "seconds": round(self.seconds, 3),
        }


async def _warmed(
    cached: "AsyncCached[..., Any] | SyncCached[..., Any]",
    calls: Sequence[dict[str, Any]],
    result: _Result,
    *,
    concurrency: int,
    using: dict[str, Callable[[], Any]],
    progress: Callable[[], None],
) -> None:
    cache = _cache(cached, result.function)
    async with cache:
        await cache.start()
        begun, before = time.monotonic(), _unkept(cache)

        def fail(call: dict[str, Any], error: Exception) -> None:
            result.fail(call, error)
            progress()

        result.loaded = await cache.warm(
            cached,
            calls,
            concurrency=concurrency,
            using=using,
            progress=lambda done: progress(),
            failed=fail,
        )
        result.seconds = time.monotonic() - begun
        result.unkept = _unkept(cache) - before


def _cache(cached: Any, name: str) -> "Cache":
    from pitstop.cache import Cache
    from pitstop.cache.core import cache_of

    cache = cache_of(cached)
    assert isinstance(cache, Cache)
    if not cache.enabled:
        raise SettingsError(
            "the cache is off: remove PITSTOP_CACHE_ENABLED=0, or enabled=False of Cache(...)"
        )
    if cache.stats().up is None:
        raise SettingsError(
            f"{name} is kept in the memory of each process alone, which this command cannot reach: "
            "give its Cache(redis=...), or call cache.warm(...) when the application starts"
        )
    return cache


def _unkept(cache: "Cache") -> Counter[str]:
    """Values that were loaded and not kept, by reason."""
    counts: Counter[str] = Counter()
    for each in cache.stats().namespaces.values():
        counts.update(each.unfilled)
    return counts


def _cached(name: str) -> Any:
    from pitstop.cache import AsyncCached, SyncCached

    found = _named(name)
    if not isinstance(found, AsyncCached | SyncCached):
        raise SettingsError(
            f"{name} is {type(found).__name__}, not a cached function: decorate it with @cache.cached"
        )
    return found


def _maker(given: str) -> tuple[str, Callable[[], Any]]:
    argument, _, name = given.partition("=")
    made = _named(name) if argument and name else None
    if not callable(made):
        raise SettingsError(
            f"--with {given!r} is not ARGUMENT=MODULE:MAKER, such as session=shop.database:Session"
        )
    return argument, made


def _named(name: str) -> Any:
    """An object by its module and its name there."""
    module, _, path = name.partition(":")
    if not module or not path:
        raise SettingsError(f"{name!r} is not MODULE:FUNCTION, such as shop.rates:rate")
    try:
        found: Any = import_module(module)
    except ImportError as error:
        raise SettingsError(f"cannot import {module} in {Path.cwd()}: {error}") from error
    for part in path.split("."):
        if not hasattr(found, part):
            raise SettingsError(f"{module} has no {path}")
        found = getattr(found, part)
    return found


def _calls(
    cached: Any, name: str, *, source: str | None, sql: str | None, dsn: str | None, given: list[str]
) -> list[dict[str, Any]]:
    from pitstop.cache.combinations import Combinations

    combinations = Combinations(cached, name=name, given=given)
    if source is not None and sql is not None:
        raise SettingsError("--from and --sql are two sources of arguments: give one")
    if sql is not None:
        columns, rows = _queried(sql, dsn)
        return list(combinations.of(combinations.from_columns(columns, rows), origin="--sql"))
    if source is not None:
        return list(combinations.of(_read(source), origin=source))
    return list(combinations.of([{}], origin="without --from and --sql"))


def _read(source: str) -> list[Any]:
    from pitstop.cache.combinations import rows_of_csv, rows_of_json

    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"cannot read arguments from {source}: {error}") from error
    is_json = text.lstrip()[:1] in ("[", "{") if source == "-" else not source.endswith(".csv")
    return rows_of_json(text, origin=source) if is_json else rows_of_csv(text, origin=source)


def _queried(sql: str, dsn: str | None) -> tuple[list[str], list[Any]]:
    import psycopg

    with connected(database_url(dsn)) as connection:
        connection.execute("SET default_transaction_read_only = on")
        try:
            cursor = connection.execute(sql.encode())
        except psycopg.Error as error:
            raise SettingsError(f"--sql: {error.diag.message_primary or error}") from error
        if cursor.description is None:
            raise SettingsError("--sql gives no rows: write a SELECT")
        return [each.name for each in cursor.description], cursor.fetchall()


@contextmanager
def _shown(total: int, *, quiet: bool) -> Iterator[Callable[[], None]]:
    """Show how many are done, where somebody looks on."""
    console = Console(stderr=True)
    columns = (TextColumn("loading"), BarColumn(bar_width=28), MofNCompleteColumn(), TimeRemainingColumn())
    off = quiet or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=off) as bar:
        task = bar.add_task("loading", total=total)
        yield lambda: bar.advance(task)


def _say(result: _Result) -> None:
    values = "value" if result.loaded == 1 else "values"
    typer.echo(f"Loaded {result.loaded:,} {values} of {result.function} in {result.seconds:.1f} s.")
    for each in result.errors:
        typer.echo(f"failed  {each}", err=True)
    if result.failed > len(result.errors):
        typer.echo(f"failed  {result.failed - len(result.errors):,} more", err=True)
    for reason, count in result.unkept.items():
        typer.echo(f"not kept  {count:,}: {reason}", err=True)
