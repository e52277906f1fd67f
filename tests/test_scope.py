"""Scopes: who asked, seen from tasks, threads and requests beside."""

import asyncio
import contextvars
import threading
from collections.abc import Generator, Iterator

import pytest

from pitstop.events import subscribe
from pitstop.scope import Scope, ScopeEnded, current_scope, open_scope, set_process_scope


@pytest.fixture
def ended() -> Iterator[list[ScopeEnded]]:
    """Scopes that ended during the test."""
    seen: list[ScopeEnded] = []
    unsubscribe = subscribe(ScopeEnded, seen.append)
    yield seen
    unsubscribe()


@pytest.fixture
def process() -> Iterator[Scope]:
    """A scope of the process as a whole."""
    scope = Scope("import.py", kind="process")
    set_process_scope(scope)
    yield scope
    set_process_scope(None)


def test_a_block_is_a_scope(ended: list[ScopeEnded]) -> None:
    """Inside it is the current one; at its end it is told, with its wall time."""
    assert current_scope() is None
    with open_scope("import prices") as scope:
        assert current_scope() is scope
    assert current_scope() is None
    assert [each.scope for each in ended] == [scope]
    assert ended[0].wall_ms >= 0
    assert (scope.kind, scope.name, scope.status, scope.failed) == ("operation", "import prices", None, False)


def test_scopes_nest(ended: list[ScopeEnded]) -> None:
    """An inner scope hides the outer one until it ends."""
    with open_scope("outer") as outer:
        with open_scope("inner") as inner:
            assert current_scope() is inner
        assert current_scope() is outer
    assert [each.scope.name for each in ended] == ["inner", "outer"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, asyncio.CancelledError])
def test_what_raises_has_failed(ended: list[ScopeEnded], error: type[BaseException]) -> None:
    """The error passes, the scope ends and is marked."""
    with pytest.raises(error), open_scope("import prices"):
        raise error
    assert ended[0].scope.failed
    assert current_scope() is None


def test_the_name_may_come_late(ended: list[ScopeEnded]) -> None:
    """A middleware learns the route only when the request has been routed."""
    with open_scope("?", kind="request") as scope:
        scope.name = "GET /posts/{id}"
    assert ended[0].scope.name == "GET /posts/{id}"
    assert repr(scope) == "<Scope request 'GET /posts/{id}'>"


def test_parts_belong_to_one_scope() -> None:
    """What a room records in one scope is not in another."""
    with open_scope("one") as one, open_scope("two") as two:
        two.parts[int] = 7
    assert one.parts == {}


async def test_tasks_belong_to_the_scope_that_started_them() -> None:
    """Tasks started inside see the scope, those started before do not."""
    opened = asyncio.Event()

    async def look() -> Scope | None:
        await opened.wait()
        return current_scope()

    before = asyncio.create_task(look())
    with open_scope("request") as scope:
        inside = asyncio.create_task(look())
        opened.set()
        assert await inside is scope
        assert await before is None
        assert await asyncio.to_thread(current_scope) is scope


async def test_concurrent_requests_do_not_see_each_other() -> None:
    """Each of many requests at once keeps its own scope across its awaits."""

    async def request(number: int) -> bool:
        with open_scope(f"request {number}") as scope:
            for _ in range(5):
                await asyncio.sleep(0)
                if current_scope() is not scope:
                    return False
        return True

    assert all(await asyncio.gather(*(request(number) for number in range(50))))


def test_a_thread_has_no_scope_of_its_starter() -> None:
    """A plain thread does not inherit the context, hence no scope either."""
    found: list[Scope | None] = []
    with open_scope("request"):
        thread = threading.Thread(target=lambda: found.append(current_scope()))
        thread.start()
        thread.join()
    assert found == [None]


def test_the_process_scope_takes_the_rest(process: Scope) -> None:
    """Outside of requests everything belongs to the process, in whatever thread."""
    found: list[Scope | None] = []
    thread = threading.Thread(target=lambda: found.append(current_scope()))
    thread.start()
    thread.join()
    assert found == [process]
    assert current_scope() is process
    with open_scope("request") as scope:
        assert current_scope() is scope
    assert current_scope() is process


def test_a_scope_may_end_in_another_context(ended: list[ScopeEnded]) -> None:
    """A generator that is finalised elsewhere ends its scope all the same, and leaves none behind."""

    def stream() -> Generator[int]:
        with open_scope("stream"):
            yield 1

    rows = stream()
    contextvars.copy_context().run(next, rows)
    rows.close()
    assert [each.scope.name for each in ended] == ["stream"]
    assert current_scope() is None


def test_leaving_without_entering_is_harmless(ended: list[ScopeEnded]) -> None:
    """A scope that never was the current one, as that of the process, can end."""
    with open_scope("outer") as outer:
        Scope("script", kind="process").leave()
        assert current_scope() is outer
    assert [each.scope.kind for each in ended] == ["process", "operation"]
