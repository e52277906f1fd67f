"""Implicit loading: a coroutine driven inside a greenlet, so that plain attribute accesses below it may load.

SQLAlchemy's asynchronous engine is its synchronous one run in a greenlet: where the driver must be awaited,
the greenlet switches to its parent with the awaitable. An attribute that is touched in a coroutine has no
such greenlet around it, hence ``MissingGreenlet``. Here the whole coroutine gets one. What SQLAlchemy asks of
it is a mark and nothing else: ``__sqlalchemy_greenlet_provider__``, the same in 2.0 and 2.1.
"""

import asyncio
import threading
from collections.abc import Coroutine, Generator
from functools import partial
from typing import Any

from greenlet import getcurrent, greenlet
from sqlalchemy.exc import MissingGreenlet
from sqlalchemy.orm import Session

from pitstop.sql.peers import PeerLoading

__all__ = ["ImplicitIO", "batch_sessions", "loads_here"]

_lock = threading.Lock()
_batching: PeerLoading | None = None


def loads_here() -> bool:
    """Whether an attribute touched here and now would load."""
    return getattr(getcurrent(), "__sqlalchemy_greenlet_provider__", False)


class ImplicitIO(greenlet):  # type: ignore[misc]
    """``await ImplicitIO(coroutine)`` gives what ``await coroutine`` gives; attributes below it may load.

    It runs in the task that awaits it: context variables, ``asyncio.current_task``, time-outs, cancellation
    and exceptions are as without. Tasks that the coroutine starts are tasks of their own, not covered.

    Args:
        coroutine: what to run.
        batch: whether sessions that begin in it load for all siblings at once (:func:`batch_sessions`).
    """

    __sqlalchemy_greenlet_provider__ = True

    def __init__(self, coroutine: Coroutine[Any, Any, Any], *, batch: bool) -> None:
        super().__init__()
        self.batch = batch
        self._coroutine = coroutine
        self._awaited: object = None
        self._cancellation: asyncio.CancelledError | None = None

    def stop(self) -> None:
        """From now on nothing loads implicitly any more; the coroutine goes on."""
        self.__sqlalchemy_greenlet_provider__ = False

    def __await__(self) -> Generator[Any, Any, Any]:
        self.gr_context = getcurrent().gr_context
        task = asyncio.current_task()
        self._join()
        outcome = self.switch()
        while not self.dead:
            if outcome is self:  # the coroutine awaits something: that is for the event loop
                try:
                    answer = yield self._take()
                except BaseException as error:  # noqa: BLE001 - handed on into the coroutine
                    self._join()
                    outcome = self.switch(partial(self._coroutine.throw, error))
                else:
                    self._join()
                    outcome = self.switch(partial(self._coroutine.send, answer))
            else:  # an attribute loads: an awaitable of the driver
                try:
                    loaded = yield from _own(outcome, task).__await__()
                except BaseException as error:  # noqa: BLE001 - handed on to where the attribute is touched
                    if isinstance(error, asyncio.CancelledError):
                        self._cancellation = error
                    self._join()
                    outcome = self.throw(type(error), error, error.__traceback__)
                else:
                    self._join()
                    outcome = self.switch(loaded)
        return outcome

    def _join(self) -> None:
        # An eager task makes its first step in the greenlet of the task around it, the next ones elsewhere.
        self.parent = getcurrent()

    def _take(self) -> object:
        # Kept nowhere: it may be a task that failed, and what failed has our frames in its traceback.
        awaited, self._awaited = self._awaited, None
        return awaited

    def run(self) -> Any:
        """Drive the coroutine; the greenlet's own side."""
        try:
            self._awaited = self._coroutine.send(None)
            while True:
                # The parent answers with what to do next, which is not kept in a name: an exception would
                # be held by its own traceback.
                self._awaited = self.parent.switch(self)()
        except StopIteration as done:
            return done.value
        except Exception as error:
            cancellation = self._swallowed()
            if cancellation is not None:
                raise cancellation from error
            raise

    def _swallowed(self) -> asyncio.CancelledError | None:
        """The cancellation that a load ended with, if it was lost on its way out.

        pydantic makes a validation error of whatever an attribute raises, be it a cancellation. Who handles
        one as asyncio wants it handled calls ``uncancel``, as ``asyncio.timeout`` does.
        """
        cancellation, self._cancellation = self._cancellation, None
        task = asyncio.current_task()
        return cancellation if task is not None and task.cancelling() else None


def _own(awaitable: Any, task: object) -> Any:
    """Refuse to wait in the name of another task: one that ran its first step eagerly in this greenlet."""
    if asyncio.current_task() is task:
        return awaitable
    if asyncio.iscoroutine(awaitable):
        awaitable.close()
    raise MissingGreenlet("a task that was started inside implicit loading is not covered by it")


def batch_sessions() -> None:
    """From now on a load for one object inside an ``ImplicitIO(..., batch=True)`` is a load for all that came
    with it (peer loading). Harmless when done already.

    Once for all sessions, because to listen on each session costs more than a request's own statement.
    """
    global _batching
    with _lock:
        if _batching is None:
            _batching = PeerLoading(Session, here=_is_batching)


def _is_batching() -> bool:
    current = getcurrent()
    while current is not None:  # what is awaited explicitly loads in SQLAlchemy's greenlet, below ours
        if isinstance(current, ImplicitIO):
            return current.batch
        current = current.parent
    return False
