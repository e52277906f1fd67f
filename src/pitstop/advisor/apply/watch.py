"""Watching a statement from beside it: how far it is, whom it waits for, whom it holds up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import psycopg
from psycopg.rows import dict_row

from pitstop.advisor.apply.news import News
from pitstop.advisor.apply.session import Session, named_sessions, query_text
from pitstop.schema import Step

__all__ = ["Watch", "watching"]


@dataclass(slots=True)
class Watch:
    """What was seen of one statement.

    Attributes:
        session: that works; step: at this.
        blockers: the sessions that it waited for last, in words.
        gave_up: it was cancelled because they did not end.
    """

    session: Session
    step: Step
    blockers: list[str] = field(default_factory=list)
    gave_up: bool = False
    _waiting_since: float | None = None
    _told: set[tuple[str, ...]] = field(default_factory=set)

    async def run(self) -> None:
        """Look until cancelled."""
        try:
            while True:
                await asyncio.sleep(self.session.patience.poll_s)
                await self._look()
        except psycopg.Error as error:  # the work itself goes on without
            reason = " ".join(str(error).split())
            self.session.report(
                News("progress", f"the progress cannot be seen any more: {reason}", self.step)
            )

    async def _look(self) -> None:
        async with self.session.watching.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(query_text("progress"), {"pid": self.session.working.info.backend_pid})
            row = await cursor.fetchone()
        if row is None:
            return
        if row["phase"]:
            self.session.report(News("progress", row["phase"], self.step, row["fraction"]))
        await self._tell("holds", row["blocked"])
        await self._wait(row["blocking"])

    async def _wait(self, pids: list[int]) -> None:
        now = asyncio.get_running_loop().time()
        if not pids:
            self._waiting_since = None
            return
        self._waiting_since = self._waiting_since or now
        self.blockers = await self._tell("waits", pids) or self.blockers
        if now - self._waiting_since > self.session.patience.wait_s:
            self.gave_up = True
            await self.session.working.cancel_safe()

    async def _tell(self, kind: "str", pids: list[int]) -> list[str]:
        """Name sessions, each lot of them once."""
        if not pids:
            return []
        names = await named_sessions(self.session.watching, pids)
        lot = (kind, *map(str, sorted(pids)))
        if names and lot not in self._told:
            self._told.add(lot)
            self.session.report(News("waits" if kind == "waits" else "holds", "; ".join(names), self.step))
        return names


@asynccontextmanager
async def watching(session: Session, step: Step) -> AsyncIterator[Watch]:
    """Watch what the session does inside of the block."""
    watch = Watch(session, step)
    task = asyncio.create_task(watch.run())
    try:
        yield watch
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
