"""Work of the cache that nobody waits for."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

__all__ = ["behind", "log_failure"]

log = logging.getLogger("pitstop.cache")

_background: set["asyncio.Task[None]"] = set()  # the loop itself does not keep tasks alive


def behind(work: Coroutine[Any, Any, None]) -> None:
    """Do something behind the caller's back; a failure is logged, for nobody waits for it."""
    task = asyncio.create_task(work)
    _background.add(task)
    task.add_done_callback(_ended)


def log_failure(error: BaseException) -> None:
    """Say that such work has failed."""
    log.warning("a cached function failed in the background", exc_info=error)


def _ended(task: "asyncio.Task[None]") -> None:
    _background.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        log_failure(error)
