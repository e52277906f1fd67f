"""Events: records reach those who asked for their type, and nobody can harm the work."""

import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from pitstop.events import emit, subscribe, wanted


@dataclass(frozen=True, slots=True)
class Baked:
    """A record of these tests."""

    loaf: str


@dataclass(frozen=True, slots=True)
class Burnt(Baked):
    """A record of another type."""


@pytest.fixture
def seen() -> Iterator[list[Baked]]:
    """What was baked during the test."""
    seen: list[Baked] = []
    unsubscribe = subscribe(Baked, seen.append)
    yield seen
    unsubscribe()


def test_a_record_reaches_its_subscriber(seen: list[Baked]) -> None:
    """It is called at once, in the emitting thread, with the very record."""
    record = Baked("rye")
    emit(record)
    assert seen == [record]
    assert seen[0] is record


def test_only_this_type_counts(seen: list[Baked]) -> None:
    """Records of a subclass are another type."""
    emit(Burnt("rye"))
    emit("rye")
    assert seen == []


def test_without_a_subscriber_nothing_happens() -> None:
    """Nobody listens: nothing is wanted, and emitting is harmless."""
    assert not wanted(Baked)
    emit(Baked("rye"))


def test_subscribers_are_called_in_their_order() -> None:
    """First come, first served."""
    order: list[str] = []
    ends = [subscribe(Baked, lambda record, name=name: order.append(name)) for name in "abc"]  # type: ignore[misc]
    emit(Baked("rye"))
    for end in ends:
        end()
    assert order == ["a", "b", "c"]


def test_a_subscription_ends_once(seen: list[Baked]) -> None:
    """After its end nothing arrives, ending it again is harmless, others go on."""
    other: list[Baked] = []
    end = subscribe(Baked, other.append)
    end()
    end()
    emit(Baked("rye"))
    assert (len(seen), len(other)) == (1, 0)
    assert wanted(Baked)


def test_the_last_one_out_leaves_nothing() -> None:
    """When every subscription has ended the type is wanted no more."""
    ends = [subscribe(Burnt, print), subscribe(Burnt, repr)]
    assert wanted(Burnt)
    for end in ends:
        end()
    assert not wanted(Burnt)


def test_a_subscriber_that_raises_is_logged(seen: list[Baked], caplog: pytest.LogCaptureFixture) -> None:
    """The work goes on, the others get the record, and the log names subscriber and type."""

    def fail(record: Baked) -> None:
        raise ValueError("out of flour")

    ends = [subscribe(Baked, fail), subscribe(Baked, seen.append)]
    with caplog.at_level(logging.ERROR, logger="pitstop.events"):
        emit(Baked("rye"))
    for end in ends:
        end()
    assert len(seen) == 2
    assert "fail" in caplog.text
    assert "Baked" in caplog.text
    assert "out of flour" in caplog.text


def test_an_interrupt_is_not_swallowed() -> None:
    """Ctrl-C during a subscriber still ends the program."""

    def interrupt(record: Baked) -> None:
        raise KeyboardInterrupt

    end = subscribe(Baked, interrupt)
    with pytest.raises(KeyboardInterrupt):
        emit(Baked("rye"))
    end()


def test_subscribers_may_come_and_go_during_a_record(seen: list[Baked]) -> None:
    """One that ends itself, or starts another, takes effect from the next record on."""
    late: list[Baked] = []
    ends = []

    def once(record: Baked) -> None:
        ends[0]()
        ends.append(subscribe(Baked, late.append))

    ends.append(subscribe(Baked, once))
    emit(Baked("first"))
    emit(Baked("second"))
    for end in ends:
        end()
    assert [each.loaf for each in seen] == ["first", "second"]
    assert [each.loaf for each in late] == ["second"]


def test_threads_subscribe_at_once(seen: list[Baked]) -> None:
    """Subscriptions that begin and end in many threads lose nobody else's."""

    def come_and_go() -> None:
        for _ in range(300):
            subscribe(Baked, lambda record: None)()

    threads = [threading.Thread(target=come_and_go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(300):
        emit(Baked(str(number)))
    for thread in threads:
        thread.join()
    assert [each.loaf for each in seen] == [str(number) for number in range(300)]
