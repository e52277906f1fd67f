"""Killing writers: on their way between fence and COMMIT, and between COMMIT and its announcement."""

import threading
from collections.abc import Sequence
from typing import Any

from pitstop.cache.clock import clock
from tests.cache.race.party import Party, Runner

__all__ = ["kill_writers", "mortal", "seconds_of_bypass"]

LANES = 4
WINDOW = 32


def kill_writers(
    party: Party,
    number: int,
    *,
    at: Sequence[str] = ("committed", "fenced"),
    pace: float = 0.01,
    callers: int = 4,
) -> dict[str, Any]:
    """Have writers be killed, one row each, while all processes read the rows about them.

    Args:
        party: with as many rows at least.
        number: of writers.
        at: where they die, by turns.
        pace, callers: of the readers, as of :meth:`tests.cache.race.worker.Worker.race`.
    """
    mortals = [mortal(party, lane) for lane in range(LANES)]
    rows, lock, counts = iter(range(number)), threading.Lock(), dict.fromkeys(at, 0)
    errors: list[BaseException] = []

    def lane(dying: Runner) -> None:
        while not errors:
            with lock:
                row = next(rows, None)
            if row is None:
                return
            where = at[row % len(at)]
            party.board.focus = row
            try:
                dying.send({"row": row, "version": 1, "at": where})
                ended = dying.answer()["signal"]
                if ended != 9:
                    raise RuntimeError(f"a writer was not killed; it said: {dying.log.read_text()[-3000:]}")
            except BaseException as error:
                errors.append(error)
                return
            if where == "committed":
                party.board.acknowledge(row, 1, now=clock())
            counts[where] += 1

    try:
        began = clock()
        for worker in party.workers:
            order = {"seconds": 3600.0, "rows": party.rows, "kinds": ["async"], "until_told": True}
            worker.send({"do": "race", "window": WINDOW, "pace": pace, "callers": callers, **order})
        lanes = [threading.Thread(target=lane, args=(each,)) for each in mortals]
        for each in lanes:
            each.start()
        for each in lanes:
            each.join()
        for worker in party.workers:
            worker.send({"do": "enough"})
        answers = [worker.answer() for worker in party.workers]
        for worker in party.workers:
            worker.answer()
    finally:
        for each in mortals:
            each.end()
    if errors:
        raise errors[0]
    return {
        "killed": counts,
        "reads": sum(each["reads"] for each in answers),
        "stale": sum(each["stale"] for each in answers),
        "examples": [example for each in answers for example in each["examples"]],
        "seconds": clock() - began,
    }


def seconds_of_bypass(party: Party, row: int, *, most: float = 45.0) -> float:
    """How long after a writer was killed the values that it fenced are only loaded, not kept."""
    dying = mortal(party, 0)
    worker = party.workers[0]
    try:
        worker.do("read", row=row)
        dying.send({"row": row, "version": 1, "at": "committed"})
        dying.answer()
        party.board.acknowledge(row, 1, now=clock())
        began = clock()
        while clock() - began < most:
            loads = worker.do("read", row=row)["loads"]
            if worker.do("read", row=row)["loads"] == loads:
                return clock() - began
            threading.Event().wait(0.2)
    finally:
        dying.end()
    return most


def mortal(party: Party, lane: int) -> Runner:
    """A process whose children are killed."""
    orders = {
        "index": lane,
        "database_url": party.database_url,
        "redis_url": party.redis_urls[0],
        "isolation": "READ COMMITTED",
        "cache": party.cache,
    }
    return Runner("tests.cache.race.mortal", orders, directory=party.directory)
