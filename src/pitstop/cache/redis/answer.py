"""The future of a reply, which wakes who awaits it in the very turn of the loop in which the reply comes."""

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import Any

__all__ = ["Answer"]


class Answer(asyncio.Future[list[Any]]):
    """A future whose task goes on inside :meth:`give`: after ``set_result`` the loop would first have to turn
    once more, which costs about as much as the reply itself.

    Errors and cancellations come as with any future. To be given by a callback of the loop; where another
    task runs just then, or the waiter's context is entered, the waiter comes in a turn of its own.
    """

    __slots__ = ("_waiter",)

    _waiter: "tuple[Callable[[Answer], object], Context]"  # nothing before somebody awaits it

    def add_done_callback(
        self, fn: "Callable[[Answer], object]", /, *, context: Context | None = None
    ) -> None:
        """As of any future; the latest with a context, as a task has one, is who goes on at once."""
        if context is not None:
            self._waiter = fn, context
        _add_done_callback(self, fn, context=context)

    def give(self, replies: list[Any]) -> None:
        """Set the result and let the task that awaits it go on."""
        try:
            wake, context = self._waiter
        except AttributeError:
            self.set_result(replies)
            return
        self.remove_done_callback(wake)
        self.set_result(replies)
        try:
            context.run(wake, self)
        except RuntimeError:  # before the task's step: what it raises itself stays in it
            self.get_loop().call_soon(wake, self, context=context)


_add_done_callback = asyncio.Future.add_done_callback  # super() costs as much again
