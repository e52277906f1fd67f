"""Carrying out changes step by step, so that whoever is killed at any moment can begin again."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import psycopg
from psycopg import errors

from pitstop.advisor.apply.news import News, Patience, Report
from pitstop.advisor.apply.rights import verify_rights
from pitstop.advisor.apply.session import Session, connect, open_session
from pitstop.advisor.apply.watch import Watch, watching
from pitstop.errors import ApplyFailed
from pitstop.schema import (
    CreateIndex,
    DropIndex,
    Name,
    Plan,
    ReindexIndex,
    Step,
    Written,
    index_state,
    make_plan,
    rebuild_leftovers,
)

__all__ = ["apply_changes", "plan_changes"]

_CLEANING_S = 10
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 10.0
_AGAIN = (errors.LockNotAvailable, errors.DeadlockDetected)


async def plan_changes(url: str, changes: Sequence[Written]) -> Plan:
    """The steps that changes take on a database as it is now; nothing is changed.

    Args:
        url: ``postgresql://...``, with or without a driver name.
        changes: in their order.

    Raises:
        ChangeRefused: one cannot be made safely.
        ServerNotFound: nobody answers, or the server refuses.
    """
    async with connect(url) as connection:
        return await make_plan(connection, changes)


async def apply_changes(
    url: str, changes: Sequence[Written], *, report: Report, patience: Patience | None = None
) -> None:
    """Carry out changes on a live database.

    The catalog is the only memory: what is done already is passed over, and the invalid index of a broken-off
    build is dropped and built anew where it is the one that is asked for, by name and definition. When it is
    cancelled, it takes away what it had begun.

    Args:
        url: ``postgresql://...``, with or without a driver name; a pooler in transaction mode is refused.
        changes: in their order; :func:`pitstop.schema.reverted` turns them round.
        report: is told what happens.
        patience: how long is waited.

    Raises:
        ChangeRefused: one cannot be made safely, or this user may not; none was begun.
        ApplyFailed: one was begun and did not come through; those before it stand.
        ServerNotFound: nobody answers, or the server refuses.
    """
    async with open_session(url, patience=patience or Patience(), report=report) as session:
        await verify_rights(session.working, await make_plan(session.working, changes))
        for each in changes:
            for step in (await make_plan(session.working, [each])).steps:
                await _carry_out(session, step)


async def _carry_out(session: Session, step: Step) -> None:
    pause = _FIRST_PAUSE_S
    for left in range(session.patience.attempts, 0, -1):
        step = step if step.state == "done" else await _as_it_stands(session, step)
        if step.state == "done":
            session.report(News("done", step.note, step))
            return
        try:
            await _attempt(session, step)
            session.report(News("ends", "", step))
            return
        except _AGAIN as error:
            if left == 1:
                raise _failed(step, error, None) from error
            session.report(News("again", f"{_reason(error)}; again in {pause:g} s", step))
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_S)


async def _as_it_stands(session: Session, step: Step) -> Step:
    """The step once more, as minutes may have gone by since it was planned."""
    steps = (await make_plan(session.working, [Written(step.change, step.revert)])).steps
    now = next(each for each in steps if type(each.change) is type(step.change))
    return replace(now, note=now.note or step.note)


async def _attempt(session: Session, step: Step) -> None:
    """Run the statement; whatever breaks it off, nothing invalid is left behind if it can be helped."""
    session.report(News("begins", step.note, step))
    async with watching(session, step) as watch:
        try:
            await _run(session, step)
        except _AGAIN:
            await _clean(session, step)
            raise
        except psycopg.Error as error:
            await _clean(session, step)
            raise _failed(step, error, watch) from error
        except asyncio.CancelledError:
            await _clean(session, step)
            raise


async def _run(session: Session, step: Step) -> None:
    change = step.change
    if isinstance(change, CreateIndex) and step.state == "rebuild":
        session.report(News("cleans", f"drops the invalid {change.index}", step))
        await session.working.execute(DropIndex(change.index).sql.encode())
    # A concurrent statement waits for other transactions, but nobody who writes waits for it: it may wait
    # longer. Any other would have all writers queue behind it, so it gives up soon.
    wait_ms = 0 if change.concurrent else round(session.patience.lock_timeout_s * 1000)
    await _lock_timeout(session, wait_ms)
    try:
        await session.working.execute(change.sql.encode())
    finally:
        if not session.working.closed:
            await _lock_timeout(session, 0)


async def _lock_timeout(session: Session, wait_ms: int) -> None:
    await session.working.execute("select set_config('lock_timeout', %s, false)", [str(wait_ms)])


async def _clean(session: Session, step: Step) -> None:
    """Drop the invalid index that this session has left; who follows does it where this fails."""
    try:
        for index in await _left(session, step):
            session.report(News("cleans", f"drops the invalid {index}", step))
            await _lock_timeout(session, _CLEANING_S * 1000)
            await session.working.execute(DropIndex(index).sql.encode())
            await _lock_timeout(session, 0)
    except psycopg.Error as error:
        left = f"an index is left invalid ({_reason(error)}): the same command again drops it and goes on"
        session.report(News("left", left, step))


async def _left(session: Session, step: Step) -> list[Name]:
    """The invalid indexes that a statement left when it was broken off."""
    change = step.change
    if not isinstance(change, CreateIndex | ReindexIndex) or not change.concurrent:
        return []
    there = await index_state(session.working, change.index)
    if there is None or there.builder or there.shape != step.shape or there.partitioned:
        return []
    if isinstance(change, CreateIndex):
        return [] if there.valid else [change.index]
    copies = await rebuild_leftovers(session.working, there)
    return [Name(each.name, each.schema) for each in copies if each.builder is None]


def _failed(step: Step, error: psycopg.Error, watch: Watch | None) -> ApplyFailed:
    if watch is not None and watch.gave_up:
        waited = f"waited {watch.session.patience.wait_s:g} s for {'; '.join(watch.blockers)}"
        return ApplyFailed(f"gave up {step.change.sql!r}: {waited}; end it and run the same command again")
    detail = f" ({error.diag.message_detail})" if error.diag.message_detail else ""
    return ApplyFailed(f"{step.change.sql!r} failed: {_reason(error)}{detail}; nothing after it was begun")


def _reason(error: psycopg.Error) -> str:
    return error.diag.message_primary or " ".join(str(error).split()) or type(error).__name__
