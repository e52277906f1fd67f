"""Drivers: they do what a flow asks for, in async code or in blocking code."""

import asyncio
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pitstop.cache.clock import clock
from pitstop.cache.coherence import Coherence
from pitstop.cache.commands import Command
from pitstop.cache.effects import Call, Called, Effect, Steps, Wait
from pitstop.cache.redis import Client
from pitstop.errors import RedisUnavailable

__all__ = ["AsyncDriver", "BlockingDriver"]

T = TypeVar("T")

_BARRIER_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class _End(Generic[T]):
    """What a flow ended with."""

    value: T


def _resumed(flow: Steps[T], *, reply: Any = None, error: Exception | None = None) -> "Effect | _End[T]":
    """What a flow asks for next, given the outcome of what it asked for last, or its end."""
    try:
        return flow.send(reply) if error is None else flow.throw(error)
    except StopIteration as stop:
        return _End(stop.value)


class _Driver:
    def __init__(self, *, client: Client | None, coherence: Coherence | None, soft_seconds: float) -> None:
        self._client = client
        self._coherence = coherence
        self._soft_seconds = soft_seconds


class AsyncDriver(_Driver):
    """Drives flows in an event loop.

    Args:
        client: the Redis; None without.
        coherence: the lease; None without Redis.
        soft_seconds: how long one exchange with Redis may take.
    """

    async def drive(self, flow: Steps[T]) -> T:
        """Do what a flow asks for, to its end."""
        with closing(flow):
            step = _resumed(flow)
            while not isinstance(step, _End):
                try:
                    reply = await self._do(step)
                except RedisUnavailable as error:
                    step = _resumed(flow, error=error)
                else:
                    step = _resumed(flow, reply=reply)
            return step.value

    async def _do(self, effect: Any) -> Any:
        if isinstance(effect, list):
            return await self.run(effect)
        if isinstance(effect, Call):
            return await _called(effect)
        if isinstance(effect, Wait):
            return await _signalled(effect.future, effect.seconds)
        return self._coherence is None or await _signalled(self._coherence.barrier(), _BARRIER_SECONDS)

    def ask(self, packed: bytes) -> "asyncio.Future[list[Any]] | None":
        """Send one packed command the shortest way; None where there is none."""
        assert self._client is not None, "a flow without Redis sends nothing"
        return self._client.ask(packed, seconds=self._soft_seconds)

    async def run(self, commands: list[Command]) -> list[Any]:
        """Send commands.

        Raises:
            RedisUnavailable: no reply within the soft time-out.
        """
        assert self._client is not None, "a flow without Redis sends nothing"
        return await self._client.run(commands, seconds=self._soft_seconds)


class BlockingDriver(_Driver):
    """Drives flows in a thread; arguments as of :class:`AsyncDriver`."""

    def drive(self, flow: Steps[T]) -> T:
        """Do what a flow asks for, to its end."""
        with closing(flow):
            step = _resumed(flow)
            while not isinstance(step, _End):
                try:
                    reply = self._do(step)
                except RedisUnavailable as error:
                    step = _resumed(flow, error=error)
                else:
                    step = _resumed(flow, reply=reply)
            return step.value

    def _do(self, effect: Any) -> Any:
        if isinstance(effect, list):
            return self.run(effect)
        if isinstance(effect, Call):
            return _call(effect)
        if isinstance(effect, Wait):
            return _happened(effect.future, effect.seconds)
        return self._coherence is None or _happened(self._coherence.barrier(), _BARRIER_SECONDS)

    def run(self, commands: list[Command]) -> list[Any]:
        """Send commands; as :meth:`AsyncDriver.run`."""
        assert self._client is not None, "a flow without Redis sends nothing"
        return self._client.run_blocking(commands, seconds=self._soft_seconds)


async def _called(effect: Call) -> Called:
    began = clock()
    effect.notes.enter()
    try:
        return Called(await effect.function(), None, clock() - began)
    except Exception as error:  # noqa: BLE001 - it goes to the caller
        return Called(None, error, clock() - began)


def _call(effect: Call) -> Called:
    began = clock()
    effect.notes.enter()
    try:
        return Called(effect.function(), None, clock() - began)
    except Exception as error:  # noqa: BLE001 - it goes to the caller
        return Called(None, error, clock() - began)


async def _signalled(future: "Future[None]", seconds: float) -> bool:
    if future.done():  # each turn of a busy loop takes a while
        return _happened(future, 0.0)
    try:
        await asyncio.wait_for(asyncio.wrap_future(future), seconds)
    except (TimeoutError, RedisUnavailable):
        return False
    return True


def _happened(future: "Future[None]", seconds: float) -> bool:
    try:
        future.result(seconds)
    except (TimeoutError, RedisUnavailable):
        return False
    return True
