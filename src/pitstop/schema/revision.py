"""Plans as revisions of Alembic, which need nothing of ours when they run."""

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pitstop.errors import ChangeRefused, SettingsError, require
from pitstop.schema.change import Change, CreateIndex, DropIndex
from pitstop.schema.plan import Plan

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

__all__ = ["write_revision"]

_BLOCK = "with op.get_context().autocommit_block():"
_CREATE = re.compile(r"(CREATE (?:UNIQUE )?INDEX(?: CONCURRENTLY)?) ")
_DROP = re.compile(r"(DROP INDEX(?: CONCURRENTLY)?) ")
_BIND = re.compile(r"(?<![:\w\\]):(?=\w)")  # what SQLAlchemy's text() takes for a parameter
_LOCK_TIMEOUT = "2s"


def write_revision(directory: Path, plan: Plan, *, message: str) -> Path:
    """Write a revision on top of the current head.

    Going up twice is harmless: what is there stays, and what a broken-off build left invalid is built anew.

    Args:
        directory: where ``alembic.ini`` is, or the directory of the migrations itself (with ``env.py``).
        plan: what is not done yet goes in.
        message: what the revision is called.

    Returns:
        the new file.

    Raises:
        MissingExtra: Alembic is not installed.
        SettingsError: there are no migrations, or they have several heads.
    """
    require("alembic", extra="schema", what="migrations")
    from alembic.util import CommandError, rev_id

    scripts = _scripts(directory)
    try:
        heads = scripts.get_heads()
        if len(heads) > 1:
            raise SettingsError(f"the migrations in {directory} have {len(heads)} heads: alembic merge heads")
        script = scripts.generate_revision(
            rev_id(),
            message,
            head="head",
            refresh=True,
            upgrades=_upgrades(plan),
            downgrades=_downgrades(plan),
        )
    except CommandError as error:
        raise SettingsError(f"alembic cannot use the migrations in {directory}: {error}") from error
    if script is None:
        raise ChangeRefused(f"alembic wrote no revision into {directory}")
    return Path(script.path)


def _scripts(directory: Path) -> "ScriptDirectory":
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    ini = directory / "alembic.ini"
    if ini.exists():
        config = Config(str(ini))
        location = directory / (config.get_main_option("script_location") or "alembic")
    else:
        config, location = Config(), directory
        config.set_main_option("path_separator", "os")
    if not (location / "env.py").exists():
        raise SettingsError(f"there are no migrations in {location}: make them with `alembic init`")
    config.set_main_option("script_location", str(location).replace("%", "%%"))
    return ScriptDirectory.from_config(config)


def _upgrades(plan: Plan) -> str:
    return _body(line for step in plan.pending for line in _lines(step.change))


def _downgrades(plan: Plan) -> str:
    return _body(line for step in reversed(plan.pending) if step.revert for line in _lines(step.revert))


def _body(lines: Iterator[str]) -> str:
    inside = list(lines)
    if not inside:
        return ""
    return textwrap.indent(
        "\n".join([_BLOCK, *textwrap.indent("\n".join(inside), "    ").split("\n")]), "    "
    ).strip()


def _lines(change: Change) -> Iterator[str]:
    if change.concurrent:
        if isinstance(change, CreateIndex):
            yield from _without_leftover(change)
        yield _executed(change.sql)
        return
    yield _executed(f"SET lock_timeout = '{_LOCK_TIMEOUT}'")
    yield _executed(change.sql)
    yield _executed("RESET lock_timeout")


def _without_leftover(change: CreateIndex) -> Iterator[str]:
    name = str(change.index).replace("'", "''")
    broken = f"SELECT FROM pg_index WHERE indexrelid = to_regclass('{name}') AND NOT indisvalid"
    yield f"broken_off = {_literal(broken)}"
    yield "if not op.get_context().as_sql and op.get_bind().exec_driver_sql(broken_off).rowcount:"
    yield f"    {_executed(DropIndex(change.index).sql)}"


def _executed(sql: str) -> str:
    guarded = _DROP.sub(r"\1 IF EXISTS ", _CREATE.sub(r"\1 IF NOT EXISTS ", sql, count=1), count=1)
    text = _BIND.sub(r"\\:", guarded)
    return f"op.execute({_literal(text)})"


def _literal(text: str) -> str:
    """In double quotes where that is plainer: SQL is full of single ones."""
    plain = '"' not in text and "\\" not in text and text.isprintable()
    return f'"{text}"' if plain else repr(text)
