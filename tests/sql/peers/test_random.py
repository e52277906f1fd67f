"""Random data, reads in random order and writes in between: with peer loading everything is as without."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, create_engine, delete, insert, select, text, update
from sqlalchemy.orm import Session, configure_mappers
from sqlalchemy.pool import StaticPool

from pitstop import peer_loading
from tests.sql.peers.graph import of_instance, of_session, plain
from tests.sql.peers.models import Base, Person, Song, Task, friends, likes

PEOPLE, TASKS, SONGS = 5, 8, 3
RELATIONS = (
    "tasks",
    "favourite",
    "secret",
    "liked",
    "friends",
    "friend_of",
    "first_task",
    "neighbours",
    "task_count",
)

person = st.integers(0, PEOPLE - 1)
task = st.integers(0, TASKS - 1)
song = st.integers(0, SONGS - 1)
pair = st.tuples(person, person)
no_or = lambda some: st.none() | some  # noqa: E731

data = st.fixed_dictionaries(
    {
        "favourites": st.lists(no_or(song), min_size=PEOPLE, max_size=PEOPLE),
        "cities": st.lists(st.integers(0, 1), min_size=PEOPLE, max_size=PEOPLE),
        "owners": st.lists(no_or(person), min_size=TASKS, max_size=TASKS),
        "likes": st.lists(st.tuples(person, song, st.integers(0, 2)), max_size=8),
        "friends": st.sets(pair, max_size=6),
    }
)
reads = st.tuples(st.just("read"), person, st.sampled_from(RELATIONS)) | st.tuples(
    st.just("read_task"), task, st.sampled_from(("person", "notes", "name"))
)
writes = st.one_of(
    st.tuples(st.just("append"), person),
    st.tuples(st.just("pop"), person),
    st.tuples(st.just("replace"), person, task),
    st.tuples(st.just("move"), task, no_or(person)),
    st.tuples(st.just("set_owner_id"), task, no_or(person)),
    st.tuples(st.just("set_favourite"), person, no_or(song)),
    st.tuples(st.just("set_favourite_id"), person, no_or(song)),
    st.tuples(st.just("rename"), person),
    st.tuples(st.just("relocate"), person, st.integers(0, 1)),
    st.tuples(st.just("reorder"), task, st.integers(0, 3)),
    st.tuples(st.just("finish"), task),
    st.tuples(st.just("like"), person, song),
    st.tuples(st.just("befriend"), person, person),
    st.tuples(st.just("delete_task"), task),
    st.tuples(st.just("new_task"), person),
    st.tuples(st.just("update_tasks"), person, person),
    st.tuples(st.just("unlike_all"), song),
    st.tuples(st.just("expire"), person),
    st.tuples(st.just("expire_relation"), person, st.sampled_from(RELATIONS[:5])),
    st.tuples(st.just("refresh"), person),
    st.tuples(st.just("query_again"), st.booleans()),
    st.tuples(st.just("nested_rollback"), person, task),
    st.tuples(st.sampled_from(("flush", "commit", "rollback", "expire_all"))),
)
steps = st.lists(reads | reads | writes, min_size=2, max_size=14)


class World:
    """A session with the people and tasks that it has loaded, and what can be done with them."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.deleted: set[int] = set()
        self.held: list[Any] = []  # whatever appeared: no play may depend on when garbage is collected
        self.people = list(session.scalars(select(Person).order_by(Person.id)))
        self.tasks = list(session.scalars(select(Task).order_by(Task.id)))
        # held from the start: get() of one that a peer load has brought would need no statement, nor flush
        self.songs = list(session.scalars(select(Song).order_by(Song.id)))

    def do(self, step: tuple[Any, ...]) -> Any:
        """Do one step; what it gives, and the error if it fails."""
        name, *arguments = step
        action: Callable[..., Any] = getattr(self, name, None) or getattr(self.session, name)
        found = plain(action(*arguments))
        self.held.extend(self.session)
        return found

    def read(self, one: int, name: str) -> Any:
        return getattr(self.people[one], name)

    def read_task(self, one: int, name: str) -> Any:
        return getattr(self.tasks[one], name)

    def append(self, one: int) -> None:
        self.people[one].tasks.append(Task(name="appended", position=9))

    def pop(self, one: int) -> None:
        if self.people[one].tasks:
            self.people[one].tasks.pop()

    def replace(self, one: int, other: int) -> None:
        self.people[one].tasks = [self.tasks[other], Task(name="replacing", position=1)]

    def move(self, one: int, to: int | None) -> None:
        self.tasks[one].person = None if to is None else self.people[to]

    def set_owner_id(self, one: int, to: int | None) -> None:
        self.tasks[one].person_id = None if to is None else to + 1

    def set_favourite(self, one: int, to: int | None) -> None:
        self.people[one].favourite = None if to is None else self.songs[to]

    def set_favourite_id(self, one: int, to: int | None) -> None:
        self.people[one].favourite_id = None if to is None else to + 1

    def rename(self, one: int) -> None:
        self.people[one].name += "!"

    def relocate(self, one: int, to: int) -> None:
        self.people[one].city = f"city {to}"

    def reorder(self, one: int, to: int) -> None:
        self.tasks[one].position = to

    def finish(self, one: int) -> None:
        self.tasks[one].done = True

    def like(self, one: int, what: int) -> None:
        self.people[one].liked.append(self.songs[what])

    def befriend(self, one: int, other: int) -> None:
        if self.people[other] not in self.people[one].friends:
            self.people[one].friends.append(self.people[other])

    def delete_task(self, one: int) -> None:
        self.session.delete(self.tasks[one])
        # whether a flush loads "person" of a deleted one depends on the order of SQLAlchemy's sets
        self.deleted.add(one)

    def new_task(self, of: int) -> None:
        self.session.add(Task(name="new", position=5, person_id=of + 1))

    def update_tasks(self, of: int, to: int) -> None:
        self.session.execute(update(Task).where(Task.person_id == of + 1).values(person_id=to + 1))

    def unlike_all(self, what: int) -> None:
        self.session.execute(text("DELETE FROM odd_likes WHERE song_id = :song"), {"song": what + 1})

    def expire(self, one: int) -> None:
        self.session.expire(self.people[one])

    def expire_relation(self, one: int, name: str) -> None:
        self.session.expire(self.people[one], [name])

    def refresh(self, one: int) -> None:
        self.session.refresh(self.people[one])

    def query_again(self, populate: bool) -> list[Person]:
        statement = select(Person).order_by(Person.id).execution_options(populate_existing=populate)
        return list(self.session.scalars(statement))

    def nested_rollback(self, one: int, other: int) -> None:
        with self.session.begin_nested() as inner:
            self.session.add(Task(name="never", position=2, person_id=one + 1))
            self.tasks[other].position = 7
            self.session.flush()
            inner.rollback()

    def left(self) -> list[Any]:
        return [*self.people, *(each for n, each in enumerate(self.tasks) if n not in self.deleted)]

    def all(self) -> Any:
        """Everything that can be read."""
        found = [[plain(getattr(each, name)) for name in RELATIONS] for each in self.people]
        return found, [plain((each.person, each.notes)) for each in self.tasks if each in self.session]


def fill(engine: Engine, rows: dict[str, Any]) -> None:
    with engine.begin() as connection:
        for table in reversed(Base.metadata.sorted_tables):
            connection.execute(delete(table))
        number = lambda one: None if one is None else one + 1  # noqa: E731
        connection.execute(insert(Song), [{"id": n + 1, "title": f"song {n}"} for n in range(SONGS)])
        connection.execute(
            insert(Person),
            [
                {
                    "id": n + 1,
                    "name": "p",
                    "city": f"city {city}",
                    "favourite_id": number(one),
                    "secret_id": n % SONGS + 1,
                }
                for n, (one, city) in enumerate(zip(rows["favourites"], rows["cities"], strict=True))
            ],
        )
        connection.execute(
            insert(Task),
            [
                {"id": n + 1, "name": "t", "position": -n, "person_id": number(owner), "notes": f"{n}"}
                for n, owner in enumerate(rows["owners"])
            ],
        )
        for table, values in (
            (likes, [{"person_id": a + 1, "song_id": b + 1, "rank": rank} for a, b, rank in rows["likes"]]),
            (friends, [{"one_id": a + 1, "other_id": b + 1} for a, b in rows["friends"]]),
        ):
            if values:
                connection.execute(insert(table), values)


def play(
    engine: Engine, rows: dict[str, Any], todo: list[Any], *, only: Any = (), **options: Any
) -> list[Any]:
    """What an application sees at each step, up to the first error."""
    fill(engine, rows)
    seen: list[Any] = []
    with Session(engine, **options) as session:
        handle = peer_loading(session, relationships=only) if only != () else None
        world = World(session)
        for step in [*todo, ("all",)]:
            try:
                seen.append((step, world.do(step)))
            except Exception as error:
                seen.append(
                    (step, type(error).__name__, re.sub("0x[0-9a-f]+", "", str(error).splitlines()[0]))
                )
                break
            seen.append(
                (
                    "state",
                    [of_instance(each) for each in world.left()],
                    of_session(session)[1],
                )
            )
        if handle is not None:
            handle.close()
    return seen


@pytest.fixture(scope="module")
def memory() -> Any:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


def is_same(together: Any, lazily: Any) -> bool:
    """Whether a step shows the same; an expired instance may be loaded sooner, in a row of a peer."""
    if together == lazily or together[0] != "state" or lazily[0] != "state":
        return bool(together == lazily)
    fresh = {each[0] for each in lazily[1] if not each[4] and "id" not in each[3]}
    return all(
        one[:3] == other[:3] for one, other in zip(together[1], lazily[1], strict=True) if other[0] in fresh
    ) and _written(together[2], fresh) == _written(lazily[2], fresh)


def _written(writes: Any, fresh: set[Any]) -> Any:
    new, dirty, deleted = writes
    return new, [each for each in dirty if each in fresh], deleted


# all but the columns that an expired instance loads: those are loaded sooner with peer loading
configure_mappers()  # for the backref
KEPT = [getattr(Person, name) for name in RELATIONS] + [Person.secret_id, Task.person, Task.notes]

searching = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))


def agree(together: list[Any], lazily: Callable[[], list[Any]]) -> bool:
    """Whether SQLAlchemy alone does the same; the order of its sets now and then decides what that is."""
    return any(_all_same(together, lazily()) for _ in range(12))


def _all_same(together: list[Any], lazily: list[Any]) -> bool:
    return len(together) == len(lazily) and all(map(is_same, together, lazily))


def _values(seen: list[Any]) -> list[Any]:
    return [each for each in seen if each[0] != "state"]


@searching
@given(rows=data, todo=steps, autoflush=st.booleans(), expire_on_commit=st.booleans())
@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
def test_all_is_equal(memory: Engine, caplog: Any, rows: Any, todo: Any, **options: bool) -> None:
    """Values, errors, loaded attributes, history and pending writes are equal after each step."""
    caplog.clear()
    together = play(memory, rows, todo, only=KEPT, **options)
    assert agree(together, lambda: play(memory, rows, todo, **options))
    assert not caplog.records


@searching
@given(rows=data, todo=steps, expire_on_commit=st.booleans())
@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
def test_values_are_equal(memory: Engine, caplog: Any, rows: Any, todo: Any, **options: bool) -> None:
    """With expired columns loaded together as well, what is read is equal, errors included."""
    caplog.clear()
    together = _values(play(memory, rows, todo, only=None, **options))
    assert agree(together, lambda: _values(play(memory, rows, todo, **options)))
    assert not caplog.records
