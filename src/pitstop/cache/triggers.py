"""Triggers, which write into the outbox what others than our sessions change; and the DDL of both."""

import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Any

import psycopg
from psycopg import sql

from pitstop.cache.outbox import outbox_sql
from pitstop.cache.request import family_of, user_tag
from pitstop.cache.tracking import row_tag, table_tag
from pitstop.errors import SettingsError

__all__ = ["TableTags", "apply", "install_ddl", "parse_tables", "trigger_ddl", "uninstall_ddl"]

_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '5s'"
# what PostgreSQL and Python write alike
_TYPES = frozenset({"smallint", "integer", "bigint", "text", "character varying", "uuid", "date"})
_BETWEEN = re.compile(r"(?<=;)\n\s*\n|(?<=;)\n(?=DROP |CREATE )")


@dataclass(frozen=True, slots=True)
class TableTags:
    """A table and the tags of its rows.

    Attributes:
        table: its name, with its schema where the search path does not find it; as the models say it.
        templates: over its columns, ``"order:{id}"``.
    """

    table: str
    templates: tuple[str, ...]


def parse_tables(words: Iterable[str]) -> list[TableTags]:
    """Read ``TABLE=TEMPLATE`` words; a table may come several times, or alone.

    Raises:
        SettingsError: a word is none.
    """
    found: dict[str, list[str]] = {}
    for word in words:
        table, equals, template = word.partition("=")
        if not table or (equals and not template):
            raise SettingsError(f"{word!r} is not TABLE=TEMPLATE, such as orders=order:{{id}}")
        found.setdefault(table, []).extend([template] if template else [])
    return [TableTags(table, tuple(templates)) for table, templates in found.items()]


def install_ddl(connection: "psycopg.Connection[Any]") -> list[str]:
    """The statements that make the outbox in the current schema; none if it is there."""
    if _scalar(connection, "SELECT to_regclass('pitstop_outbox') IS NOT NULL"):
        return []
    text = sql.SQL(_text("outbox_install")).format(schema=sql.Identifier(_schema(connection)))
    return _split(text.as_string(connection))


def trigger_ddl(
    connection: "psycopg.Connection[Any]",
    tables: Iterable[TableTags],
    *,
    namespace: str = "pitstop",
    track: bool = False,
) -> list[str]:
    """The statements that make the triggers of tables, or replace them.

    Args:
        connection: to their database.
        tables: with their tags.
        namespace: of the cache.
        track: whether functions with ``track=True`` depend on them: their automatic tags are told too.

    Raises:
        SettingsError: there is no outbox; a table or column does not exist; a column makes no tag.
    """
    where = _scalar(
        connection,
        "SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = to_regclass('pitstop_outbox')",
    )
    if where is None:
        raise SettingsError("there is no outbox to write into; first run: pitstop cache install DSN --apply")
    return [
        statement
        for each in tables
        for statement in _trigger_ddl(connection, each, namespace=namespace, track=track)
    ]


def uninstall_ddl(connection: "psycopg.Connection[Any]") -> list[str]:
    """The statements that remove all that the two others made; none if there is nothing."""
    rows = connection.execute(outbox_sql("outbox_uninstall"), {"schema": _home(connection)})
    return [statement for (statement,) in rows.fetchall()]


def apply(connection: "psycopg.Connection[Any]", statements: Sequence[str]) -> None:
    """Run statements in one transaction that waits at most five seconds for a lock."""
    with connection.transaction():
        connection.execute(_LOCK_TIMEOUT)
        for statement in statements:
            connection.execute(statement.encode())


class _Columns:
    """The columns of a table.

    Raises:
        SettingsError: there is no such table, or it is none that has triggers.
    """

    def __init__(self, connection: "psycopg.Connection[Any]", table: str) -> None:
        rows = connection.execute(outbox_sql("triggers_columns"), {"table": table}).fetchall()
        if not rows:
            raise SettingsError(
                f"there is no table {table!r} in this database; write schema.table if need be"
            )
        schema, name, kind = rows[0][:3]
        if kind not in ("r", "p"):
            raise SettingsError(f"{table!r} is no table: triggers stand on the tables that it reads")
        self.table = table
        self.name = sql.Identifier(schema, name)
        self.types: dict[str, str] = {row[3]: row[4] for row in rows}
        keys = sorted((row[5], row[3]) for row in rows if row[5] is not None)
        self.key = [name for _, name in keys]

    def filled(self, template: str) -> sql.Composable:
        """An expression that fills a template from a row."""
        parts: list[sql.Composable] = []
        for literal, name, spec, conversion in _fields(template):
            if literal:
                parts.append(sql.Literal(literal))
            if name is None:
                continue
            if spec or conversion or self.types.get(name) not in _TYPES:
                raise SettingsError(self._refusal(template, name))
            # what an f-string makes of None
            parts.append(
                sql.SQL("coalesce({}::text, 'None')").format(
                    sql.SQL(".").join([sql.Identifier("one"), sql.Identifier(name)])
                )
            )
        return sql.SQL(" || ").join(parts)

    def _refusal(self, template: str, name: str) -> str:
        kind = self.types.get(name)
        why = (
            f"there is no column {name!r}; there are: {', '.join(self.types)}"
            if kind is None
            else f"column {name!r} is of type {kind}, which makes no tag: integers, text, uuid and date do"
        )
        return f"template {template!r} of table {self.table!r} cannot be filled: {why}"


def _trigger_ddl(
    connection: "psycopg.Connection[Any]", wanted: TableTags, *, namespace: str, track: bool
) -> list[str]:
    columns = _Columns(connection, wanted.table)
    templates = list(wanted.templates)
    if track:
        templates += [_escaped(table_tag(wanted.table))]
        key = [f"{{{name}}}" for name in columns.key]
        templates += [_escaped(row_tag(wanted.table, ())) + ",".join(key)] if key else []
    if not templates:
        raise SettingsError(
            f"table {wanted.table!r} has no template: write {wanted.table}=order:{{id}}, or --track"
        )
    families = dict.fromkeys(user_tag(family_of(_plain(each, wanted.table))) for each in templates)
    home = _home(connection)
    text = sql.SQL(_text("triggers_install")).format(
        schema=sql.Identifier(home),
        table=columns.name,
        function=sql.Identifier(home, _function_name(wanted.table)),
        namespace=sql.Literal(namespace),
        families=sql.SQL(", ").join(map(sql.Literal, families)),
        tags=sql.SQL(", ").join(columns.filled(user_tag(each)) for each in templates),
    )
    return _split(text.as_string(connection))


def _fields(template: str) -> "list[tuple[str, str | None, str | None, str | None]]":
    try:
        return list(Formatter().parse(template))
    except ValueError as error:
        raise SettingsError(f"template {template!r} cannot be read: {error}") from error


def _plain(template: str, table: str) -> str:
    """A template's text up to its first column, which has to hold the family."""
    first = _fields(template)[0]
    if first[1] is not None and ":" not in first[0]:
        raise SettingsError(
            f"template {template!r} of table {table!r} has a column in its family: begin it as order:{{id}}"
        )
    return first[0]


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _function_name(table: str) -> str:
    name = re.sub(r"\W", "_", table)[:40]
    return f"pitstop_tell_{name}_{zlib.crc32(table.encode()):08x}"


def _home(connection: "psycopg.Connection[Any]") -> str:
    """The schema of the outbox; where there is none, the one it would be made in."""
    found = _scalar(
        connection,
        "SELECT nspname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace "
        "WHERE pg_class.oid = to_regclass('pitstop_outbox')",
    )
    return _schema(connection) if found is None else str(found)


def _schema(connection: "psycopg.Connection[Any]") -> str:
    found = _scalar(connection, "SELECT current_schema()")
    if found is None:
        raise SettingsError("the search path of this user names no schema that exists; set one")
    return str(found)


def _scalar(connection: "psycopg.Connection[Any]", question: str) -> object:
    row = connection.execute(question.encode()).fetchone()
    return row[0] if row else None


def _text(name: str) -> Any:
    """A statement with places to fill; it comes with the package, not from a user."""
    return outbox_sql(name)


def _split(text: str) -> list[str]:
    return [each.strip().removesuffix(";") for each in _BETWEEN.split(text)]
