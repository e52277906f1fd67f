"""Waiting for what comes about, with a bound that a busy machine keeps."""

import asyncio
import time
from collections.abc import Callable

__all__ = ["eventually", "until"]

SECONDS = 60.0


async def until(question: Callable[[], object], what: str, *, seconds: float = SECONDS) -> None:
    """Let the loop go on until the answer is yes; fails with ``what`` was waited for."""
    end = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        await asyncio.sleep(0.01)


def eventually(question: Callable[[], object], what: str, *, seconds: float = SECONDS) -> None:
    """The same in sync code."""
    end = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(0.02)
