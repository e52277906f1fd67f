"""The fence around a commit: what a session wrote is dropped by every process before the commit returns."""

import logging
from collections.abc import Callable, Iterable, Mapping
from importlib.resources import files
from string import Formatter
from typing import Any, Protocol

from sqlalchemy import Connection, Table, inspect, text
from sqlalchemy.orm import Mapper
from sqlalchemy.util import await_only
from sqlalchemy.util.concurrency import in_greenlet

from pitstop.cache.commits import lock_number
from pitstop.cache.driver import AsyncDriver, BlockingDriver
from pitstop.cache.effects import Steps
from pitstop.cache.invalidation import FENCE_SECONDS, Fence, Invalidation
from pitstop.cache.outbox import writable
from pitstop.cache.request import family_of, user_tag
from pitstop.cache.tracking import row_family, row_tag, table_tag
from pitstop.errors import FenceFailed, RedisUnavailable, SettingsError
from pitstop.tables import UNKNOWN_TABLE
from pitstop.transactions import UNKNOWN, Changes

__all__ = ["CommitFence", "Outbox", "RowTags"]

log = logging.getLogger("pitstop.cache")

RowTags = Callable[[Any], "str | Iterable[str]"] | Iterable[str]
# Between fence and COMMIT the database ends a transaction whose process is frozen: it must not commit when
# the fence has run out. A shorter time of the user's own stays.
# What is fenced is said too: triggers need not tell of it again. And that it is, to those who have lost it.
_MARK_FENCED = text((files("pitstop.cache") / "sql" / "mark_fenced.sql").read_text("utf-8"))
_UNMARK_FENCED = text((files("pitstop.cache") / "sql" / "unmark_fenced.sql").read_text("utf-8"))
_ATTEMPTS = 3  # to fence a commit; the last after a whole lease


class Outbox(Protocol):
    """Where invalidations wait while Redis is away, in the database of the transaction."""

    def store(self, connection: Connection, tags: tuple[str, ...]) -> bool:
        """Write them down in this transaction; False if the database has no place for them."""


class _Rule:
    """The tags of the rows of one model."""

    def __init__(self, model: type, tags: RowTags, columns: Iterable[str]) -> None:
        self.model = model
        mapper: Mapper[Any] = inspect(model)
        self.columns = _known_columns(mapper, columns)
        self.tables = frozenset(each.fullname for each in mapper.tables if isinstance(each, Table))
        self._tags = (
            tags if callable(tags) else _template_tags(tuple([tags] if isinstance(tags, str) else tags))
        )
        self.families = self._probed()

    def concerns(self, kind: str, instance: Any, before: Mapping[str, Any]) -> bool:
        """Whether a written row counts: of a changed one perhaps only some attributes do."""
        if not isinstance(instance, self.model):
            return False
        return kind != "dirty" or not self.columns or not self.columns.isdisjoint(before)

    def of(self, instance: Any) -> tuple[str, ...]:
        """The tags of a row."""
        found = self._tags(instance)
        return (found,) if isinstance(found, str) else tuple(found)

    def before(self, instance: Any, before: Mapping[str, Any]) -> tuple[str, ...]:
        """The tags of a row as it was; the families of them all where that is not known."""
        try:
            return self.of(_Before(instance, before))
        except _UnknownBefore:
            return self.families

    def _probed(self) -> tuple[str, ...]:
        """The families of its tags, which bulk writes invalidate: learnt from a row that could be any."""
        try:
            tags = self.of(_AnyRow())
        except Exception as error:
            raise SettingsError(
                f"tags of {self.model.__name__} cannot be made without a row ({error}): what a bulk write "
                "changes would not be known; write them as plain f-strings of attributes, or as templates: "
                '["order:{id}"]'
            ) from error
        return tuple(dict.fromkeys(map(family_of, tags)))


class _AnyRow:
    """Stands for any row: each attribute is one more such thing, and reads as a star."""

    def __getattr__(self, name: str) -> "_AnyRow":
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __str__(self) -> str:
        return "*"

    def __format__(self, spec: str) -> str:
        return "*"

    def __call__(self, *args: Any, **kwargs: Any) -> "_AnyRow":
        return self

    def __iter__(self) -> Any:
        return iter((self,))


def _tracked(instance: Any, before: Mapping[str, Any]) -> list[str]:
    """The automatic tags of a written row: itself, by its old key too, and the tables it lies in."""
    mapper = inspect(instance).mapper
    tables = [each.fullname for each in mapper.tables if isinstance(each, Table)]
    names = [mapper.get_property_by_column(each).key for each in mapper.primary_key]
    identity = mapper.primary_key_from_instance(instance)
    old = [before.get(name, value) for name, value in zip(names, identity, strict=True)]
    found = [tag for table in tables for tag in (table_tag(table), row_tag(table, identity))]
    if UNKNOWN in old:
        return found + [row_family(table) for table in tables]
    return found if old == identity else found + [row_tag(table, old) for table in tables]


def _known_columns(mapper: Mapper[Any], columns: Iterable[str]) -> frozenset[str]:
    names = frozenset([columns] if isinstance(columns, str) else columns)
    unknown = sorted(names.difference(each.key for each in mapper.column_attrs))
    if unknown:
        raise SettingsError(
            f"columns of {mapper.class_.__name__} name {unknown[0]!r}, which is no mapped column of it"
        )
    return names


def _template_tags(templates: tuple[str, ...]) -> Callable[[Any], list[str]]:
    fields = {name for each in templates for _, name, _, _ in Formatter().parse(each) if name}

    def tags(instance: Any) -> list[str]:
        values = {name.partition(".")[0]: getattr(instance, name.partition(".")[0]) for name in fields}
        return [each.format_map(values) for each in templates]

    return tags


class _Before:
    """An instance as it was before a flush."""

    def __init__(self, instance: Any, before: Mapping[str, Any]) -> None:
        self._instance = instance
        self._before = before

    def __getattr__(self, name: str) -> Any:
        value = self._before[name] if name in self._before else getattr(self._instance, name)
        if value is UNKNOWN:
            raise _UnknownBefore(name)
        return value


class _UnknownBefore(Exception):
    """A tag depends on a value that was overwritten without having been loaded."""


class _Commit:
    """A commit under way."""

    __slots__ = ("connection", "driver_connection", "fence", "lost", "settings", "tags", "unfenced")

    def __init__(self, connection: Connection, tags: tuple[str, ...]) -> None:
        self.connection = connection
        self.driver_connection = connection.connection.dbapi_connection
        self.tags = tags
        self.lost = False
        self.settings: tuple[str | None, str] | None = None
        self.fence: Fence | None = None
        self.unfenced = False


class CommitFence:
    """Takes part in the commits of sessions.

    Args:
        invalidation: makes the other processes drop what changes.
        driver, blocking: drive its flows, in an async session and in a sync one.
        refuses: whether a commit that cannot be fenced is refused.
        outbox: keeps what Redis could not be told; None for this process only.
        namespace: of the cache.
    """

    def __init__(
        self,
        invalidation: Invalidation,
        *,
        driver: AsyncDriver,
        blocking: BlockingDriver,
        refuses: bool,
        outbox: Outbox | None,
        namespace: str = "pitstop",
    ) -> None:
        self._invalidation = invalidation
        self._driver = driver
        self._blocking = blocking
        self._refuses = refuses
        self._outbox = outbox
        self._namespace = namespace
        self._lock = lock_number(namespace)
        self._rules: list[_Rule] = []
        self._open: dict[int, _Commit] = {}
        self.tracks = False

    def add(self, model: type, tags: RowTags, *, columns: Iterable[str] = ()) -> None:
        """Rows of this model carry these tags; of a changed one only if one of these columns changed."""
        self._rules.append(_Rule(model, tags, columns))

    def note(self, kind: str, instance: Any, before: Mapping[str, Any]) -> Iterable[str]:
        """The tags of a written row, as it is and as it was."""
        found: list[str] = []
        for rule in self._rules:
            if rule.concerns(kind, instance, before):
                found += rule.of(instance)
                if before:
                    found += rule.before(instance, before)
        if self.tracks:
            found += _tracked(instance, before)
        return found

    def before_commit(self, connection: Connection, changes: Changes) -> None:
        """Fence what the transaction wrote."""
        tags = self._tags(changes)
        if not tags:
            return
        self._open[id(changes)] = commit = _Commit(connection, tags)
        self._mark(commit)  # first: who finds no fence must find the commit under way
        try:
            commit.fence = self._drive(self._invalidation.fence(tags))
        except RedisUnavailable as error:
            self._without(commit, error)

    def _mark(self, commit: _Commit) -> None:
        """Say in the database what is about to be committed; nobody else asks where there is no Redis."""
        if self._outbox is None or commit.connection.dialect.name != "postgresql":
            return
        ms = int(FENCE_SECONDS / 2 * 1000)
        fenced = [f"{self._namespace}/{tag}" for tag in writable(commit.tags)]
        values = {"ms": str(ms), "most": ms, "fenced": fenced, "lock": self._lock}
        was_fenced, idle, *_ = commit.connection.execute(_MARK_FENCED, values).one()
        commit.settings = was_fenced, idle

    def _unmark(self, commit: _Commit) -> None:
        """It has no fence: triggers are to tell of it, and it may wait for as long as it takes."""
        if commit.settings is not None:
            fenced, idle = commit.settings
            commit.connection.execute(_UNMARK_FENCED, {"fenced": fenced, "idle": idle})

    def _without(self, commit: _Commit, error: RedisUnavailable) -> None:
        """What is done when Redis cannot be reached: refuse, or wait until nobody trusts it, and go on."""
        if self._refuses:
            raise FenceFailed(
                f"commit refused: redis cannot be told what changes ({error}); retry when it is back, or "
                "choose on_fence_failure='outbox'"
            ) from error
        self._unmark(commit)
        kept = False
        for attempt in range(_ATTEMPTS):
            waited = self._drive(self._invalidation.wait_out(whole=attempt == _ATTEMPTS - 1))
            # the fence is tried after the row is written: who looks for rows and finds none has Redis by then
            kept = kept or (self._outbox is not None and self._outbox.store(commit.connection, commit.tags))
            try:
                commit.fence = self._drive(self._invalidation.fence(commit.tags))
            except RedisUnavailable:
                if waited:
                    break
            else:
                self._mark(commit)
                return
        self._invalidation.begin_unfenced()
        commit.unfenced = True
        if not kept:
            log.warning(
                "committed while redis is away; %d tags wait in this process until it is back",
                len(commit.tags),
            )

    def after_commit(self, changes: Changes) -> None:
        """Take the fence off; what it fenced gets new tokens."""
        commit = self._open.pop(id(changes), None)
        if commit is None:
            return
        if commit.fence is not None:
            self._drive(self._invalidation.release(commit.fence))
        elif commit.unfenced:
            self._drive(self._invalidation.end_unfenced(commit.tags))

    def after_rollback(self, changes: Changes) -> None:
        """Take the fence off, unless it is not known whether the transaction was committed."""
        commit = self._open.pop(id(changes), None)
        if commit is None:
            return
        if commit.fence is not None and not commit.lost:
            self._drive(self._invalidation.release(commit.fence))
        elif commit.fence is not None:
            self._invalidation.abandon(commit.fence)
        elif commit.unfenced:
            self._drive(self._invalidation.end_unfenced(commit.tags if commit.lost else ()))

    def connection_lost(self, driver_connection: Any) -> None:
        """Of a commit on it that is under way nobody knows whether it happened, or will."""
        for commit in list(self._open.values()):
            if commit.driver_connection is driver_connection:
                commit.lost = True

    def _tags(self, changes: Changes) -> tuple[str, ...]:
        """Internal names of all that the transaction changes."""
        names = dict.fromkeys(map(user_tag, changes.notes))
        for table in changes.tables:
            for rule in self._rules:
                if table == UNKNOWN_TABLE or table in rule.tables:
                    names.update(dict.fromkeys(map(user_tag, rule.families)))
        if self.tracks:
            for table in changes.tables:
                names.update(dict.fromkeys((user_tag(table_tag(table)), user_tag(row_family(table)))))
        return tuple(names)

    def _drive(self, flow: Steps[Any]) -> Any:
        if in_greenlet():
            return await_only(self._driver.drive(flow))
        return self._blocking.drive(flow)
