"""Loads that go on: callers of one key share one, in an event loop or between threads."""

import asyncio
import contextvars
import itertools
import threading
from concurrent.futures import Future
from typing import Any

from pitstop.cache.driver import AsyncDriver, BlockingDriver
from pitstop.cache.effects import Outcome
from pitstop.cache.flow import Flows
from pitstop.cache.redis.link import pack
from pitstop.cache.request import Request
from pitstop.cache.watch import reason_for_privacy
from pitstop.errors import RedisUnavailable

__all__ = ["AsyncLoads", "BlockingLoads"]

_turns = itertools.count(1)


class _Share:
    """One load and who waits for it.

    Attributes:
        task: the load, to its end.
        answer: what those who wait get before Redis has it; cancelled if there is none; None if all wait.
        turn: when it began.
        waiting: how many wait.
    """

    __slots__ = ("answer", "task", "turn", "waiting")

    def __init__(
        self, task: "asyncio.Task[Outcome]", answer: "asyncio.Future[Outcome] | None" = None
    ) -> None:
        self.task = task
        self.answer = answer
        self.turn = next(_turns)
        self.waiting = 0
        if answer is not None:
            task.add_done_callback(lambda _: answer.cancel())

    @property
    def is_answered(self) -> bool:
        """Whether those who waited for the load have it."""
        return self.answer is not None and self.answer.done() and not self.answer.cancelled()


class AsyncLoads:
    """Loads in event loops; each loop has its own.

    Args:
        flows: what a load does.
        driver: does it.
    """

    def __init__(self, flows: Flows, driver: AsyncDriver) -> None:
        self.flows = flows
        self._driver = driver
        self._shares: dict[tuple[int, str], _Share] = {}

    def look(self, request: Request) -> "asyncio.Future[list[Any]] | None":
        """What one look into Redis gives, for :meth:`Flows.hit`; None where somebody is looking, or it takes
        more than that.
        """
        if not self.flows.may_look():
            return None
        if self._shares and (id(asyncio.get_running_loop()), request.key) in self._shares:
            return None
        return self._driver.ask(request.look or pack(self.flows.looking(request.key, request.tags)))

    async def get(self, request: Request) -> Outcome:
        """Load, or share the load of another caller. A shared load ends early only with its last caller."""
        request = request.kept_private(reason_for_privacy(request.given))
        alone = bool(request.private) or request.mode not in ("read", "early")
        turn = next(_turns)
        place = (id(asyncio.get_running_loop()), request.key)
        while True:
            share = self._shares.get(place)
            mine = share is None or alone
            if share is None or mine:
                share = self._begin(place, request)
            outcome = await self._wait(share)
            alone = alone or (outcome is not None and outcome.private)
            # none: it ended with its callers, and we ask again
            if outcome is not None and (mine or _may_have(outcome, request, later=share.turn > turn)):
                return outcome

    def _begin(self, place: tuple[int, str], request: Request) -> _Share:
        answer: asyncio.Future[Outcome] | None = None
        if request.prompt:
            answer = asyncio.get_running_loop().create_future()
            request = request.answering(answer.set_result)
        # a context of its own: notes that the load leaves there are not its caller's
        flow = self._driver.drive(self.flows.fetch(request))
        task = asyncio.create_task(flow, context=contextvars.copy_context())
        share = _Share(task, answer)
        if request.private:
            return share
        self._shares[place] = share

        def ended(_: Any) -> None:
            if self._shares.get(place) is share:
                del self._shares[place]

        if answer is not None:  # who asks after it finds it in memory, or knows of a change that it does not
            answer.add_done_callback(ended)
        task.add_done_callback(ended)
        return share

    async def _wait(self, share: _Share) -> Outcome | None:
        """The outcome; None if the load was cancelled and we were not."""
        # who comes after the answer may know of a change that it does not
        awaited = share.task if share.answer is None or share.is_answered else share.answer
        share.waiting += 1
        try:
            await asyncio.wait([awaited])
        except asyncio.CancelledError:
            if share.waiting == 1 and not share.is_answered:
                share.task.cancel()
            raise
        finally:
            share.waiting -= 1
        ended = share.task if awaited.cancelled() else awaited
        return None if ended.cancelled() else ended.result()


class BlockingLoads:
    """Loads of sync functions; threads share them.

    Args:
        flows: what a load does.
        driver: does it.
    """

    def __init__(self, flows: Flows, driver: BlockingDriver) -> None:
        self.flows = flows
        self._driver = driver
        self._lock = threading.Lock()
        self._shares: dict[str, tuple[int, Future[Outcome]]] = {}

    def get(self, request: Request) -> Outcome:
        """Load, or share the load of another thread."""
        request = request.kept_private(reason_for_privacy(request.given))
        alone = bool(request.private) or request.mode not in ("read", "early")
        turn = next(_turns)
        if request.mode == "read" and request.key not in self._shares and self.flows.may_look():
            found = self._looked(request)
            if isinstance(found, Outcome):
                return found
            request = found
        while True:
            begun, future, mine = self._share(request, alone=alone)
            if mine:
                return self._load(request, future)
            outcome = future.result()
            alone = outcome.private
            if _may_have(outcome, request, later=begun > turn):
                return outcome

    def _looked(self, request: Request) -> Outcome | Request:
        """What one look gives, or what is to be asked for after it."""
        start = self.flows.changes.changes
        try:
            replies = self._driver.run([self.flows.looking(request.key, request.tags)])
            found = self.flows.hit(request, replies, start)
        except RedisUnavailable:
            self.flows.pause()
            return request
        if found is None or found.missing:
            return request.after(replies, start, mode="read" if found is None else "early")
        return found

    def _share(self, request: Request, *, alone: bool) -> "tuple[int, Future[Outcome], bool]":
        with self._lock:
            share = self._shares.get(request.key)
            if share is not None and not alone:
                return (*share, False)
            begun, future = next(_turns), Future[Outcome]()
            if not request.private:
                self._shares[request.key] = begun, future
            return begun, future, True

    def _load(self, request: Request, future: "Future[Outcome]") -> Outcome:
        outcome = Outcome(None, (), missing=True)  # should we be interrupted
        try:
            flow = self.flows.fetch(request)
            # a context of its own: notes that the load leaves there are not its caller's
            outcome = contextvars.copy_context().run(self._driver.drive, flow)
            return outcome
        finally:
            with self._lock:
                if self._shares.get(request.key, (0, None))[1] is future:
                    del self._shares[request.key]
            future.set_result(outcome)


def _may_have(outcome: Outcome, request: Request, *, later: bool) -> bool:
    """Whether somebody who waited for another's load may have its outcome.

    Args:
        later: whether the load began after he asked: then it saw all that he must see.
    """
    if outcome.missing or outcome.private:
        return False
    if outcome.error is not None:  # of an argument that was the other's alone, perhaps
        return request.recipe.repeatable
    return outcome.shareable or later
