"""Where a question is put: how long it may take, the servers, and the caches of one round."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from benchmarks.cache.subjects import absent, answering
from benchmarks.cache.subjects.subject import AsyncLoad, Load, Subject
from benchmarks.cache.table import Table
from pitstop.servers import Servers

__all__ = ["Scale", "broken", "opened", "skipped", "started", "threads"]


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured, and where.

    Attributes:
        quick: a quarter of the time, for a look.
        servers: a PostgreSQL and a Redis for all questions.
    """

    quick: bool
    servers: Servers

    def pick(self, full: int, quick: int) -> int:
        """``full``, or ``quick`` where a look is enough."""
        return quick if self.quick else full


def opened(subject: Subject, load: AsyncLoad) -> AsyncLoad:
    """``load`` cached by the subject, as a coroutine function in threads if it blocks."""
    if not subject.blocking:
        return subject.wrap(load)
    loop = asyncio.get_running_loop()

    def blocking(key: int) -> object:
        return asyncio.run_coroutine_threadsafe(load(key), loop).result()

    cached: Load = subject.wrap(blocking)

    async def call(key: int) -> object:
        return await asyncio.to_thread(cached, key)

    return call  # type: ignore[return-value]


@asynccontextmanager
async def started(url: str, question: str, table: Table) -> AsyncIterator[list[Subject]]:
    """All caches that answer a question, connected; one that cannot start becomes a row that says so."""
    subjects: list[Subject] = []
    for number, kind in enumerate(answering(question)):
        subject = kind()
        try:
            await subject.start(url, prefix=f"{question}{number}")
        except Exception as error:  # noqa: BLE001 - a peer may break in any way; the table says how
            broken(table, subject, error)
        else:
            subjects.append(subject)
    try:
        yield subjects
    finally:
        for subject in subjects:
            await subject.close()


def broken(table: Table, subject: Subject | type[Subject], error: BaseException) -> None:
    """Add the row of a cache that failed."""
    table.rows.append((subject.name, f"broken: {type(error).__name__}: {str(error)[:90]}"))


def skipped(table: Table) -> None:
    """Say which caches are not there."""
    table.notes += [f"{name}: {reason}" for name, reason in absent().items()]


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Give the running loop so many threads for blocking calls."""
    executor = ThreadPoolExecutor(count)
    asyncio.get_running_loop().set_default_executor(executor)
    try:
        yield
    finally:
        executor.shutdown(wait=False)
