"""From scopes that ended to the local record: folded in memory, written twice a second."""

import atexit
import contextlib
import logging
import os
import sys
import threading
import time
from collections import deque
from multiprocessing import util as multiprocessing_util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pitstop.advisor.caches import CacheCounts
from pitstop.advisor.columns import ColumnSearch
from pitstop.advisor.fold import Fold
from pitstop.advisor.pools import PoolChoices, PoolCounts
from pitstop.errors import StoreError
from pitstop.events import subscribe
from pitstop.postgres.placeholders import skipped_rows
from pitstop.scope import Handler, Scope, ScopeEnded
from pitstop.store import CacheTotals, Observations, PoolTotals, Store

if TYPE_CHECKING:
    from pitstop.sql import Location, Trace

__all__ = ["Recorder", "start_recorder"]

log = logging.getLogger("pitstop.store")

MAX_NAMES = 1_000
MAX_WAITING = 2_000
FLUSH_S = 0.5
RETRY_S = 5.0
PROCESS_WINDOW_S = 2.0

# Kind, name, handler, ms and failure of a scope with few statements; digest, line, text, ms, rows and
# rows skipped of each.
_Execution = tuple[str, "Location | None", str, float, int, int]
_Small = tuple[str, str, Handler | None, float, bool, list[_Execution]]

_running: dict[Path, "Recorder"] = {}
_running_lock = threading.Lock()


def start_recorder(store: Store, *, process: Scope | None = None) -> "Recorder":
    """Record every scope that ends in this process from now on.

    A second call for the same directory joins the recorder that runs already: nothing is counted twice.

    Args:
        store: where to; the recorder is the only one to use it from now on.
        process: the scope of the process as a whole, whose statements are written as they come.
    """
    with _running_lock:
        recorder = _running.get(store.directory)
        if recorder is None:
            recorder = _running[store.directory] = Recorder(store)
        recorder.users += 1
        recorder.process = recorder.process or process
        return recorder


class Recorder:
    """Folds scopes that ended and merges them into a store from a thread of its own.

    It never fails the application: what cannot be written is kept, within bounds, and tried again.
    A forked child begins with nothing pending and a thread of its own.

    Attributes:
        users: how many have started it; the last one to close it ends it.
        process: the scope of the process as a whole, or None.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.users = 0
        self.process: Scope | None = None
        self._names: set[str] = set()
        self._columns = ColumnSearch()
        self._begin()
        self._unsubscribe = subscribe(ScopeEnded, self._on_ended)
        self._start_thread()
        atexit.register(self.flush)
        multiprocessing_util.register_after_fork(self, Recorder._flush_at_child_exit)
        self._flush_at_child_exit()

    def close(self) -> None:
        """Write what is pending and, as its last user, end it."""
        with _running_lock:
            self.users -= 1
            last = self.users <= 0
            if last:
                _running.pop(self.store.directory, None)
        if last:
            self._unsubscribe()
            self._stop_thread()
            atexit.unregister(self.flush)
        self.flush()
        if last:
            self.store.close()

    def flush(self) -> None:
        """Write what is pending, the statements of the process scope included, now."""
        self._write(window_s=0.0)

    def _begin(self) -> None:
        """The state of a process that has seen nothing yet."""
        self._lock = threading.Lock()  # guards _pending
        self._writing = threading.Lock()  # guards the store and _unsent
        self._pending = Observations()
        self._small: deque[_Small] = deque()
        self._caches = CacheCounts()
        self._pools = PoolCounts()
        self._choices = PoolChoices()
        self._unsent: Observations | None = None
        self._retry_at = 0.0
        self._warned = False
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._drained = time.perf_counter()
        self._process_seen = False

    def _on_ended(self, ended: ScopeEnded) -> None:
        scope = ended.scope
        if scope is self.process:
            return  # its statements are drained while it runs
        trace = _trace_of(scope)
        few = () if trace is None else trace.few
        failed = scope.failed or (scope.status or 0) >= 500
        if few is not None and len(self._small) < MAX_WAITING:
            # Plain values only: the objects of the application must not wait for the writer.
            executions = [
                (
                    *(seen.fingerprint.digest, seen.site.location, seen.text, seen.ms, seen.rows),
                    skipped_rows(seen.text, seen.parameters),
                )
                for seen in few
            ]
            handler = scope.parts.get(Handler)
            self._small.append((scope.kind, scope.name, handler, ended.wall_ms, failed, executions))
        else:
            self._fold(ended, trace, failed=failed)
        if self._thread is None:  # ended before a fork of this process
            self._start_thread()

    def _fold(self, ended: ScopeEnded, trace: "Trace | None", *, failed: bool) -> None:
        groups = trace.groups() if trace is not None else []
        findings = [*trace.n_plus_one, *trace.forbidden] if trace is not None else []
        scope = ended.scope
        statements = [(each.fingerprint, each.location, each.text) for each in groups]
        self._columns.note(scope.kind, scope.name, scope.parts.get(Handler), statements)
        with self._lock:
            fold = Fold(self._pending, scope.kind, self._bounded(scope.name))
            fold.scope(ended.wall_ms, failed=failed, statements=trace.count if trace is not None else 0)
            fold.trace(groups, findings)

    def _fold_small(self) -> None:
        """Fold what waited, many at a time, which costs half as much as one by one."""
        with contextlib.suppress(IndexError):
            while True:
                kind, name, handler, wall_ms, failed, executions = self._small.popleft()
                self._columns.note(kind, name, handler, [each[:3] for each in executions])
                with self._lock:
                    fold = Fold(self._pending, kind, self._bounded(name))
                    fold.scope(wall_ms, failed=failed, statements=len(executions))
                    for execution in executions:
                        fold.execution(*execution)

    def _bounded(self, name: str) -> str:
        """The name, or one for all the rest: names made from data must not fill the memory."""
        if name in self._names:
            return name
        if len(self._names) >= MAX_NAMES:
            return "(other)"
        self._names.add(name)
        return name

    def _drain_process(self) -> None:
        """Fold what the process scope has seen since the last time and let it begin anew.

        It is done in windows because a server's process scope never ends, and would grow.
        """
        scope, now = self.process, time.perf_counter()
        if scope is None:
            return
        trace = _trace_of(scope)
        if trace is None or not trace.count:
            return
        scope.parts = {}
        wall_ms = (now - (self._drained if self._process_seen else scope.started)) * 1000.0
        groups, findings = list(trace.groups()), [*trace.n_plus_one, *trace.forbidden]
        with self._lock:
            fold = Fold(self._pending, scope.kind, scope.name)
            fold.process(wall_ms, first=not self._process_seen, statements=trace.count)
            fold.trace(groups, findings)
        self._process_seen, self._drained = True, now

    def _write(self, *, window_s: float) -> None:
        with self._writing:
            if time.perf_counter() - self._drained >= window_s:
                self._drain_process()
            self._fold_small()
            unused = self._columns.search()
            with self._lock:
                self._pending.unused_columns.update((each.key, each) for each in unused)
                for cache in self._caches.grown():
                    self._pending.caches.setdefault(cache.namespace, CacheTotals(cache.namespace)).add(cache)
                for pool in self._pools.grown():
                    self._pending.pools.setdefault(pool.name, PoolTotals(pool.name)).add(pool)
                if self._pending:
                    self._pending.pool_settings.update((each.key, each) for each in self._choices.made())
                pending, self._pending = self._pending, Observations()
            for batch in (self._unsent, pending):
                if batch:
                    self._merge(batch)

    def _merge(self, batch: Observations) -> None:
        if time.monotonic() < self._retry_at:
            self._keep(batch)
            return
        try:
            self.store.merge(batch)
        except StoreError as error:
            self._keep(batch)
            self._retry_at = time.monotonic() + RETRY_S
            if not self._warned:
                log.warning("observation goes on without a record: %s", error)
            self._warned = True
        else:
            self._unsent = None if batch is self._unsent else self._unsent

    def _keep(self, batch: Observations) -> None:
        """Hold one batch for the next attempt; what comes in meanwhile is folded back or dropped."""
        if self._unsent is None:
            self._unsent = batch
        elif batch is not self._unsent:
            with self._lock:
                if len(self._pending) == 0:
                    self._pending = batch

    def _run(self, stop: threading.Event) -> None:
        while not stop.wait(FLUSH_S):
            try:
                self._write(window_s=PROCESS_WINDOW_S)
            except Exception:
                log.exception("the recorder failed; it goes on")

    def _start_thread(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(self._stop,), name="pitstop-recorder", daemon=True
        )
        self._thread.start()

    def _stop_thread(self) -> None:
        thread, self._thread = self._thread, None
        self._stop.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=1.0)

    def _flush_at_child_exit(self) -> None:
        # Children of multiprocessing leave with os._exit: atexit is not called, these finalizers are.
        multiprocessing_util.Finalize(None, self.flush, exitpriority=0)

    def _before_fork(self) -> None:
        # A thread would make Python 3.12 warn of the fork, and SQLite connections do not survive one.
        self._stop_thread()
        if self._writing.acquire(timeout=1.0):
            self.store.close()
            self._writing.release()

    def _after_fork_in_child(self) -> None:
        self.store = Store(self.store.directory, max_bytes=self.store.max_bytes)
        if self.process is not None:  # what the parent saw is the parent's to write
            self.process.parts = {}
            self.process.started = time.perf_counter()
        self._begin()
        self._start_thread()


def _trace_of(scope: Scope) -> "Trace | None":
    # Without the room of SQL there is no trace; importing it would import SQLAlchemy into an
    # application that may not use it.
    room: Any = sys.modules.get("pitstop.sql")
    return None if room is None else scope.parts.get(getattr(room, "Trace", object))


def _before_fork() -> None:
    for recorder in list(_running.values()):
        recorder._before_fork()


def _after_fork_in_child() -> None:
    global _running_lock
    _running_lock = threading.Lock()
    for recorder in list(_running.values()):
        recorder._after_fork_in_child()


os.register_at_fork(before=_before_fork, after_in_child=_after_fork_in_child)
