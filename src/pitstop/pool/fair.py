"""The pools: SQLAlchemy's, with a fair line in front, bounded by the server, and with an eye on holders."""

import asyncio
import logging
import math
import os
import weakref
from time import perf_counter
from typing import Any, NoReturn

from sqlalchemy import event, exc
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry, QueuePool

from pitstop.errors import PoolExhausted
from pitstop.location import find_site
from pitstop.pool.line import OPEN_ONE, Line
from pitstop.pool.news import has_news
from pitstop.pool.plan import Plan
from pitstop.pool.status import Checkout, EventKind, Figures, Holder, PoolStatus
from pitstop.pool.survey import Survey, survey
from pitstop.pool.ticket import TaskTicket, ThreadTicket
from pitstop.scope import current_scope

__all__ = ["AsyncFairPool", "FairPool", "counted"]

log = logging.getLogger("pitstop.pool")

_TOLD_PLACES = 5
_NONE_LEFT = ("remaining connection slots", "too many clients", "too many connections", "no more connections")
_LONGEST_RETRY_S = 60
_PING_AFTER_S = 0.5  # one that was idle for less and has no news is given out without a ping
_RETURNED = "pitstop.returned"
_FRAMES = 7  # between _do_get's caller and the application's line, at the least: all of SQLAlchemy


_pools: "weakref.WeakSet[FairPool]" = weakref.WeakSet()
_parents: list[Line] = []  # connections of the parent process: if they were freed here, it would lose them


class _Exhausted(PoolExhausted, exc.TimeoutError):
    """Is caught as SQLAlchemy's own time-out too, so that what handles that goes on working."""


class FairPool(QueuePool):
    """A pool for threads. Made by :func:`pitstop.pool.create_engine`."""

    _ticket: type[ThreadTicket] | type[TaskTicket] = ThreadTicket

    def __init__(
        self,
        creator: Any,
        plan: Plan,  # not keyword-only: SQLAlchemy looks for positional names of its own
        figures: Figures | None = None,
        surveyed: Survey | None = None,
        **options: Any,
    ) -> None:
        super().__init__(creator, plan.size, plan.overflow, plan.timeout_s, **options)
        self.plan = plan
        self.surveyed = surveyed
        self.figures = figures or Figures(plan.name)
        self._checkouts: dict[ConnectionPoolEntry, Checkout] = {}
        # One, until it has told how many there may be.
        self._line = Line(size=1, limit=1)
        if surveyed is not None:
            self._bound(surveyed)
        self.figures.pool = weakref.ref(self)
        if figures is None:
            _listen(self)
        _pools.add(self)

    def recreate(self) -> "FairPool":
        """The pool that an engine goes on with after ``dispose``; its figures go on too."""
        return type(self)(
            self._creator,
            plan=self.plan,
            figures=self.figures,
            surveyed=self.surveyed,
            pre_ping=self._pre_ping,
            recycle=self._recycle,
            echo=self.echo,
            logging_name=self._orig_logging_name,
            reset_on_return=self._reset_on_return,
            _dispatch=self.dispatch,
            dialect=self._dialect,
        )

    def dispose(self) -> None:
        """Close what is idle."""
        for entry in self._line.drain():
            entry.close()

    def size(self) -> int:
        """Connections that stay open."""
        return self._line.size

    def checkedin(self) -> int:
        """Idle connections."""
        return self._line.idle

    def checkedout(self) -> int:
        """Connections in use, or being opened."""
        return max(0, self._line.count - self._line.idle)

    def overflow(self) -> int:
        """Open connections above the size; below zero while there are fewer, as SQLAlchemy tells it."""
        return self._line.count - self._line.size

    def told(self) -> PoolStatus:
        """What :func:`pitstop.pool.pool_status` gives."""
        figures = self.figures
        return PoolStatus(
            name=self.plan.name,
            size=self.size(),
            limit=self._line.limit,
            checked_in=self.checkedin(),
            checked_out=self.checkedout(),
            overflow=max(0, self.overflow()),
            waiting=self._line.waiting,
            waits=figures.waits,
            exhausted=figures.exhausted,
            wait_ms=figures.wait_ms,
            max_wait_ms=figures.max_wait_ms,
            pooler=self.surveyed.pooler if self.surveyed is not None else None,
            holders=self._holders(),
            events=tuple(figures.events),
        )

    def begin_anew(self) -> None:
        """Leave connections alone: those of a forked child's parent, or of an event loop that is closed."""
        self._line = Line(size=self._line.size, limit=self._line.limit)
        self._checkouts = {}

    def _do_get(self) -> ConnectionPoolEntry:
        ticket = self._ticket()
        self._line.join(ticket)
        if ticket.entry is None:
            self._wait(ticket)
        entry: Any = self._open() if ticket.entry is OPEN_ONE else ticket.entry
        now = perf_counter()
        recent = now - entry.record_info.get(_RETURNED, -math.inf) < _PING_AFTER_S
        if recent and not has_news(entry.driver_connection):
            entry.fresh = True  # SQLAlchemy's word for: needs no ping
        self._checkouts[entry] = Checkout(find_site(_FRAMES).location, current_scope(), now)
        return entry  # type: ignore[no-any-return]

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        checkout = self._checkouts.pop(record, None)
        if checkout is not None:
            now = perf_counter()
            self.figures.returned(now - checkout.started)
            if record.record_info is not None:
                record.record_info[_RETURNED] = now
        self._close(self._line.give_back(record))

    def _wait(self, ticket: ThreadTicket | TaskTicket) -> None:
        most = self.plan.max_waiting
        started, granted = perf_counter(), False
        try:
            granted = (most is None or self._line.waiting <= most) and ticket.wait(self.plan.timeout_s)
        finally:
            waiting = self._line.waiting
            if not granted:  # timed out, or cancelled
                self._close(self._line.leave(ticket))
            self._note("waited" if granted else "exhausted", (perf_counter() - started) * 1000.0)
        if not granted:
            self._refuse(waiting)

    def _note(self, kind: Any, wait_ms: float) -> None:
        self.figures.waited(wait_ms, granted=kind == "waited")
        self.figures.note(kind, checked_out=self.checkedout(), waiting=self._line.waiting, wait_ms=wait_ms)

    def _open(self) -> ConnectionPoolEntry:
        try:
            entry = self._create_connection()
            if self.surveyed is None:
                self._survey(entry)
        except BaseException as error:
            self._line.lost()
            if _has_none_left(error):
                self._refuse_open(error)
            raise
        return entry

    def _survey(self, entry: ConnectionPoolEntry) -> None:
        """Ask the first connection what there is. It was opened with what works behind any pooler."""
        dialect: Any = self._dialect
        self.surveyed = survey(entry, pooler=self.plan.pooler, error=dialect.loaded_dbapi.Error)
        self._bound(self.surveyed)
        if not self.surveyed.pooler and self.plan.has_safe_arguments:
            entry.close()  # opened anew at once, as the driver is fastest

    def _bound(self, surveyed: Survey) -> None:
        most = self.plan.size + self.plan.overflow
        limit = surveyed.limit(most, workers=self.plan.workers)
        self._line.resize(size=min(self.plan.size, limit), limit=limit)
        if limit < most:
            log.warning(
                "pool %r may open %d connections instead of %d: the server leaves %d to %d workers",
                *(self.plan.name, limit, most, surveyed.budget, self.plan.workers),
            )
            self.figures.note("bounded", checked_out=self.checkedout(), waiting=self._line.waiting)

    def _close(self, entries: list[Any]) -> None:
        for entry in entries:
            try:
                entry.close()
            finally:
                self._line.lost()

    def _holders(self) -> tuple[Holder, ...]:
        now = perf_counter()
        found = [each.holder(now) for each in list(self._checkouts.values())]
        return tuple(sorted(found, key=lambda each: -each.held_s))

    def _refuse(self, waiting: int) -> NoReturn:
        limit, most, name = self._line.limit, self.plan.max_waiting, self.plan.name
        if most is not None and waiting > most:
            why = f"pool {name!r} has already {most} requests waiting for its {limit} connections"
        else:
            why = (
                f"pool {name!r} is exhausted: none of its {limit} connections became free within "
                f"{self.plan.timeout_s:g} s and {waiting} wait"
            )
        self.figures.held_by = holders = self._told_holders()
        seconds = math.ceil(waiting * self.figures.mean_held_s() / limit)
        raise _Exhausted(f"{why}; {holders}", retry_after_s=max(1, min(seconds, _LONGEST_RETRY_S))) from None

    def _refuse_open(self, error: BaseException) -> NoReturn:
        self._note("exhausted", 0.0)
        raise _Exhausted(
            f"pool {self.plan.name!r} cannot open a connection beside the {self._line.count} that it has: "
            f"{' '.join(str(error).split())}; tell workers=, end other clients, or raise max_connections"
        ) from error

    def _told_holders(self) -> str:
        """Who has the connections, by the line that took them."""
        places: dict[str, list[float]] = {}
        for each in self._holders():
            where = each.location.short() if each.location is not None else "no line of the application"
            places.setdefault(f"{where}, {each.work}" if each.work else where, []).append(each.held_s)
        told = [f"{len(held)} by {place} (up to {max(held):.1f} s)" for place, held in places.items()]
        more = [f"the rest by {len(told) - _TOLD_PLACES} other places"] if len(told) > _TOLD_PLACES else []
        return f"held are {'; '.join([*told[:_TOLD_PLACES], *more])}" if told else "none is held long"


class AsyncFairPool(FairPool, AsyncAdaptedQueuePool):
    """A pool for asyncio. Made by :func:`pitstop.pool.create_engine`."""

    _ticket = TaskTicket
    _loop: "asyncio.AbstractEventLoop | None" = None

    def _do_get(self) -> ConnectionPoolEntry:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            if self._loop is not None and self._loop.is_closed():
                self.begin_anew()  # its connections ended with it: nobody can use or close them
            self._loop = loop
        return super()._do_get()


def counted() -> dict[str, tuple[int, int, float, float, str]]:
    """What the pools of this process counted so far, by name: waits, exhausted, ms, longest, held by."""
    found: dict[str, tuple[int, int, float, float, str]] = {}
    for each in {id(pool.figures): pool.figures for pool in list(_pools)}.values():
        waits, exhausted, wait_ms, longest, held_by = found.get(each.name, (0, 0, 0.0, 0.0, ""))
        found[each.name] = (
            *(waits + each.waits, exhausted + each.exhausted, wait_ms + each.wait_ms),
            *(max(longest, each.max_wait_ms), each.held_by or held_by),
        )
    return found


def _listen(pool: FairPool) -> None:
    """Note what is opened and closed; the listeners stay with the pools that follow after ``dispose``."""
    figures = pool.figures  # and not the pool: it would live, and be told of, as long as those that follow

    def opened(*_: Any) -> None:
        _note(figures, "opened")

    def closed(*_: Any) -> None:
        _note(figures, "closed")

    event.listen(pool, "connect", opened)
    event.listen(pool, "close", closed)


def _note(figures: Figures, kind: EventKind) -> None:
    pool = figures.pool()
    if pool is not None:
        figures.note(kind, checked_out=pool.checkedout(), waiting=pool._line.waiting)


def _has_none_left(error: BaseException) -> bool:
    """Whether the server, its role or its database has no connection left; psycopg tells by words alone."""
    code = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    return code == "53300" or (code is None and any(words in str(error) for words in _NONE_LEFT))


def _after_fork_in_child() -> None:
    for pool in list(_pools):
        _parents.append(pool._line)
        pool.begin_anew()


os.register_at_fork(after_in_child=_after_fork_in_child)
