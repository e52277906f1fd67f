"""The future of a reply."""

import asyncio
from typing import Any

import pytest

from pitstop.cache.redis.answer import Answer


async def _noted(answer: Answer, seen: list[Any]) -> None:
    seen.append(await answer)


async def test_the_task_goes_on_at_once() -> None:
    """Who awaits it has gone on when ``give``, called by the loop, returns."""
    loop, seen, after = asyncio.get_running_loop(), [], []  # type: ignore[var-annotated]
    answer = Answer(loop=loop)
    task = asyncio.create_task(_noted(answer, seen))
    await asyncio.sleep(0)
    loop.call_soon(lambda: (answer.give([1]), after.extend(seen)))
    await task
    assert seen == after == [[1]]


async def test_beside_a_task_it_takes_a_turn() -> None:
    """Given by a task that runs, it wakes who awaits it in the next turn, once."""
    seen: list[Any] = []
    answer = Answer(loop=asyncio.get_running_loop())
    task = asyncio.create_task(_noted(answer, seen))
    await asyncio.sleep(0)
    answer.give([1])
    assert not seen
    await task
    assert seen == [[1]]


async def test_nobody_awaits_it_yet() -> None:
    """Given before anybody awaits it, it is there for who comes."""
    answer = Answer(loop=asyncio.get_running_loop())
    answer.give([2])
    assert await answer == [2]


async def test_cancellation_and_errors_come_as_ever() -> None:
    """A task that is cancelled leaves; an error is raised where it is awaited."""
    loop = asyncio.get_running_loop()
    cancelled, failed, raising = (Answer(loop=loop) for _ in range(3))

    async def fail() -> None:
        raise RuntimeError(str(await raising))

    tasks = [asyncio.create_task(_noted(each, [])) for each in (cancelled, failed)]
    tasks.append(asyncio.create_task(fail()))
    await asyncio.sleep(0)
    tasks[0].cancel()
    failed.set_exception(OSError("away"))
    loop.call_soon(raising.give, [3])
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(each) for each in ended] == [asyncio.CancelledError, OSError, RuntimeError]
    assert cancelled.cancelled()
    with pytest.raises(asyncio.InvalidStateError):
        cancelled.give([4])
