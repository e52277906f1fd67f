"""The line in front of a pool: order, bounds, and that nothing is lost whoever leaves or comes in between."""

import random
import threading
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pitstop.pool.line import OPEN_ONE, Line
from pitstop.pool.ticket import ThreadTicket


def joined(line: Line) -> ThreadTicket:
    ticket = ThreadTicket()
    line.join(ticket)
    return ticket


def test_first_come_first_served() -> None:
    """What comes back goes to the one who waits longest, not to the one who comes by."""
    line = Line(size=1, limit=1)
    holder, first, second = joined(line), joined(line), joined(line)
    assert holder.entry is OPEN_ONE
    assert line.waiting == 2
    assert line.give_back("connection") == []
    late = joined(line)
    assert (first.entry, second.entry, late.entry) == ("connection", None, None)


def test_the_right_to_open_passes_on() -> None:
    """If opening fails, the next in the line may try, at once."""
    line = Line(size=1, limit=1)
    holder, waiter = joined(line), joined(line)
    assert holder.entry is OPEN_ONE
    line.lost()
    assert waiter.entry is OPEN_ONE
    assert line.count == 1


def test_who_leaves_gives_up_what_came_meanwhile() -> None:
    """A ticket that was granted in the moment its owner was cancelled passes its entry on."""
    line = Line(size=1, limit=1)
    joined(line)
    cancelled, next_one = joined(line), joined(line)
    line.give_back("connection")
    assert cancelled.entry == "connection"
    line.leave(cancelled)
    assert next_one.entry == "connection"


def test_overflow_is_closed_when_nobody_waits() -> None:
    """No more than ``size`` stay idle; a waiter gets an overflow connection instead of its being closed."""
    line = Line(size=1, limit=2)
    joined(line), joined(line)
    waiter = joined(line)
    assert line.give_back("a") == []
    assert waiter.entry == "a"
    assert line.give_back("b") == []
    assert line.give_back("a") == ["a"]
    line.lost()
    assert (line.count, line.idle) == (1, 1)


def test_a_smaller_bound_holds_as_connections_come_back() -> None:
    """After the bound shrinks, what is above it is closed and not handed on."""
    line = Line(size=3, limit=3)
    for _ in range(3):
        joined(line)
    waiter = joined(line)
    line.resize(size=2, limit=2)
    assert line.give_back("a") == ["a"]
    line.lost()
    assert waiter.entry is None
    assert line.give_back("b") == []
    assert waiter.entry == "b"


class Returning(ThreadTicket):
    """A ticket during whose grant the garbage collector gives another connection back."""

    line: Line

    def grant(self, entry: Any) -> None:
        super().grant(entry)
        self.line.give_back("collected")


def test_a_collection_in_between() -> None:
    """A connection given back within the work of the line, by the same thread, is handed on too."""
    line = Line(size=2, limit=2)
    joined(line), joined(line)
    first = Returning()
    first.line = line
    line.join(first)
    second = joined(line)
    line.give_back("returned")
    assert (first.entry, second.entry) == ("returned", "collected")


@given(st.integers(1, 3), st.integers(0, 3), st.randoms(use_true_random=False))
def test_nothing_is_lost(size: int, overflow: int, chance: random.Random) -> None:
    """Whatever is done in whatever order: never above the limit, and nobody waits while something is free."""
    line = Line(size=size, limit=size + overflow)
    waiting: list[ThreadTicket] = []
    held: list[object] = []
    for _ in range(60):
        step = chance.choice(["join", "back", "leave", "lost"])
        if step == "join":
            waiting.append(joined(line))
        elif step == "back" and held:
            for _surplus in line.give_back(held.pop()):
                line.lost()
        elif step == "leave" and waiting:
            line.leave(waiting.pop(chance.randrange(len(waiting))))
        elif step == "lost" and held:
            held.pop()
            line.lost()
        granted = [each for each in waiting if each.entry is not None]
        held += [object() if each.entry is OPEN_ONE else each.entry for each in granted]
        waiting = [each for each in waiting if each.entry is None]
        assert line.count == len(held) + line.idle <= size + overflow
        assert line.waiting == len(waiting)
        assert line.idle <= size
        assert not waiting or (line.idle == 0 and line.count == line.limit)


def test_threads() -> None:
    """Eight threads that come, hold and leave end with everything idle and nobody waiting."""
    line = Line(size=2, limit=3)

    def work(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(300):
            ticket = joined(line)
            if not ticket.wait(chance.choice([0.0, 10.0])):
                surplus = line.leave(ticket)
            else:
                surplus = line.give_back(object() if ticket.entry is OPEN_ONE else ticket.entry)
            for _surplus in surplus:
                line.lost()

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert not any(each.is_alive() for each in threads)
    assert (line.waiting, line.count) == (0, line.idle)
