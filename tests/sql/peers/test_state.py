"""What peers leave as it is: instances, garbage, pickles, history, pending changes, other sessions."""

import gc
import pickle
import weakref

import pytest
from sqlalchemy import Engine, event, inspect, select, text, update
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import Session, make_transient, noload, raiseload, selectinload
from sqlalchemy.orm.exc import DetachedInstanceError

from pitstop import count_queries, peer_loading
from tests.sql.peers.models import Person, Task
from tests.sql.scenarios.models import Author, Note, Post, Remark

AUTHORS = select(Author).order_by(Author.id)


def test_untouched(engine: Engine) -> None:
    """A peer that nobody has touched shows nothing of having been loaded for."""
    with Session(engine) as session, peer_loading(session):
        one, other, *_ = session.scalars(AUTHORS).all()
        assert one.posts
        assert "posts" in inspect(other).unloaded
        assert "posts" not in other.__dict__
        with count_queries(session) as queries:
            assert [post.id for post in other.posts] == [4, 5, 6]
        assert queries.count == 0


def test_garbage(engine: Engine) -> None:
    """A peer goes with its last user, and what was kept for it goes with it."""
    with Session(engine) as session, peer_loading(session):
        authors = session.scalars(AUTHORS).all()
        assert authors[0].posts
        kept = [weakref.ref(each) for each in session if isinstance(each, Post) and each.author_id == 2]
        peer = weakref.ref(authors[1])
        assert len(kept) == 3
        del authors[1]
        gc.collect()
        assert peer() is None
        assert [each() for each in kept] == [None, None, None]


def test_session_goes(engine: Engine) -> None:
    """Peer loading holds no session."""
    with peer_loading(Session(engine)):
        session = Session(engine)
        with peer_loading(session):
            assert [author.posts for author in session.scalars(AUTHORS)]
        gone = weakref.ref(session)
        session.close()
        del session
        gc.collect()
        assert gone() is None


@pytest.mark.parametrize("name", ["posts", "profile", "biography"])
def test_pickle(engine: Engine, name: str) -> None:
    """A pickled peer has nothing in it of what was kept, and loads in the ordinary way where it arrives."""
    with Session(engine) as session, peer_loading(session):
        authors = session.scalars(AUTHORS).all()
        assert getattr(authors[0], name)
        written = pickle.dumps(authors[1])
    assert b"pitstop" not in written
    with Session(engine) as session:
        author = pickle.loads(written)
        session.add(author)
        with count_queries(session) as queries:
            assert getattr(author, name)
        assert queries.count == 1


def test_detached(engine: Engine) -> None:
    """An expunged peer raises as it does without peer loading, and is not loaded for."""
    with Session(engine) as session, peer_loading(session):
        one, other, third, *_ = session.scalars(AUTHORS).all()
        session.expunge(third)
        assert one.posts
        session.expunge(other)
        for each in (other, third):
            with pytest.raises(DetachedInstanceError):
                _ = each.posts


def test_transient_and_merged(engine: Engine) -> None:
    """Made transient, or merged into another session, a peer forgets what was kept."""
    with Session(engine) as session, Session(engine) as further, peer_loading(session):
        one, other, third, *_ = session.scalars(AUTHORS).all()
        assert one.posts
        merged = further.merge(third, load=False)
        with count_queries(further) as queries:
            assert [post.id for post in merged.posts] == [7, 8, 9]
        assert queries.count == 1
        assert all(post in further for post in merged.posts)
        make_transient(other)
        assert other.posts == []


def test_expunged_target(engine: Engine) -> None:
    """A kept collection with an instance that has left the session is loaded again."""
    with Session(engine) as session, peer_loading(session):
        one, other, *_ = session.scalars(AUTHORS).all()
        assert one.posts
        gone = session.get(Post, 5)
        session.expunge(gone)
        assert [post.id for post in other.posts] == [4, 5, 6]
        assert gone not in other.posts
        assert all(post in session for post in other.posts)


def test_raiseload_and_noload(engine: Engine) -> None:
    """What the query forbids stays forbidden, and what it leaves empty stays empty."""
    with Session(engine) as session, peer_loading(session):
        for author in session.scalars(AUTHORS.options(raiseload(Author.posts))):
            with pytest.raises(InvalidRequestError):
                _ = author.posts


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")
def test_noload(engine: Engine) -> None:
    """What the query leaves empty stays empty."""
    with Session(engine) as session, peer_loading(session), count_queries(session) as queries:
        assert [author.posts for author in session.scalars(AUTHORS.options(noload(Author.posts)))] == [[]] * 6
    assert queries.count == 1


def test_populate_existing(engine: Engine) -> None:
    """A query that asks for everything anew takes what was kept away."""
    with Session(engine) as session, peer_loading(session):
        one, other, *_ = session.scalars(AUTHORS).all()
        assert one.posts
        session.scalars(AUTHORS.execution_options(populate_existing=True)).all()
        with count_queries(session) as queries:
            assert other.posts
        assert queries.count == 1


@pytest.mark.parametrize("names", [None, ["posts"]])
def test_expired_kept(engine: Engine, names: list[str] | None) -> None:
    """Expired, a peer is asked anew."""
    with Session(engine) as session, peer_loading(session):
        one, other, *_ = session.scalars(AUTHORS).all()
        assert one.posts
        session.expire(other, names)
        with count_queries(session) as queries:
            assert other.posts
        assert queries.count == (2 if names is None else 1)


def test_pending_children(engine: Engine) -> None:
    """Children appended before the first touch are kept, flushed or not, and none is there twice."""
    for autoflush in (True, False):
        with Session(engine, autoflush=autoflush) as session, peer_loading(session):
            people = session.scalars(select(Person).order_by(Person.id)).all()
            new = [Task(name="new", position=50, person=person) for person in people[:3]]
            session.add_all(new)
            found = [person.tasks for person in people]
            assert [tasks.count(each) for each, tasks in zip(new, found, strict=False)] == [1, 1, 1]
            assert [len(tasks) for tasks in found] == [4, 4, 4, 3, 3, 0]


def test_autoflush(engine: Engine) -> None:
    """A touch of a peer flushes what is pending, as the statement would that it saves."""
    with Session(engine) as session, peer_loading(session):
        one, other, *_ = session.scalars(AUTHORS).all()
        assert one.posts
        one.name = "changed"
        assert other.posts
        assert session.execute(text("SELECT name FROM author WHERE id = 1")).scalar() == "changed"
        assert not session.dirty


def test_no_autoflush(engine: Engine) -> None:
    """Without autoflush nothing is flushed."""
    with Session(engine) as session, peer_loading(session), session.no_autoflush:
        one, other, *_ = session.scalars(AUTHORS).all()
        one.name = "changed"
        assert [post.id for post in other.posts] == [4, 5, 6]
        assert session.dirty


def test_failing_flush(engine: Engine) -> None:
    """A flush that fails at a touch raises what it raises without peer loading."""
    with Session(engine) as session, peer_loading(session):
        one, *_ = session.scalars(AUTHORS).all()

        def refuse(*_: object) -> None:
            raise LookupError("refused")

        event.listen(session, "before_flush", refuse)
        one.name = "changed"
        with pytest.raises(LookupError, match="refused"):
            _ = one.posts


def test_written_meanwhile(engine: Engine) -> None:
    """What the session itself has written since is seen: by key, by statement, by text."""
    with Session(engine) as session, peer_loading(session):
        people = session.scalars(select(Person).order_by(Person.id)).all()
        assert len(people[0].tasks) == 3
        session.add(Task(name="by key", position=99, person_id=2))
        assert len(people[1].tasks) == 4
        session.execute(update(Task).where(Task.person_id == 3).values(person_id=4))
        assert [len(people[n].tasks) for n in (2, 3)] == [0, 6]
        session.execute(text("UPDATE odd_task SET person_id = 6 WHERE person_id = 5"))
        assert [len(people[n].tasks) for n in (4, 5)] == [0, 3]


def test_key_changed(engine: Engine) -> None:
    """A foreign key that was set since the load leads to the new target."""
    with Session(engine) as session, peer_loading(session):
        posts = session.scalars(select(Post).order_by(Post.id)).all()
        assert posts[0].author.id == 1
        posts[5].author_id = 6
        assert posts[5].author.id == 6
        with session.no_autoflush:
            posts[8].author_id = 5
            assert posts[8].author.id == 5


def test_write_in_the_loop(engine: Engine) -> None:
    """A loop that writes to the rows that it reads still takes few statements."""
    with Session(engine) as session, peer_loading(session), count_queries(session) as queries:
        for person in session.scalars(select(Person).order_by(Person.id)):
            person.name = ", ".join(task.name for task in person.tasks)
            for task in person.tasks:
                task.done = True
    reads = [each for each in queries.statements if each.text.startswith("SELECT")]
    assert len(reads) == 2


def test_commit_in_the_loop(engine: Engine) -> None:
    """A loop that makes each peer load useless stops loading for all."""
    with Session(engine) as session, peer_loading(session), count_queries(session) as queries:
        for author in session.scalars(AUTHORS).all():
            assert author.posts
            session.rollback()
    rows = [each.text.count("?") for each in queries.statements if "FROM post" in each.text]
    assert [many > 1 for many in rows].count(True) <= 2
    assert len(rows) == 6


def test_other_session(engine: Engine) -> None:
    """Rows of another session are not loaded for."""
    with Session(engine) as session, Session(engine) as other, peer_loading(session), peer_loading(other):
        mine, theirs = session.scalars(AUTHORS).all(), other.scalars(AUTHORS).all()
        assert mine[0].posts
        with count_queries(other) as queries:
            assert theirs[1].posts
        assert queries.count == 1


def test_new_parent(engine: Engine) -> None:
    """Instances that are not flushed have no peers, and no statement is sent for them."""
    with Session(engine) as session, peer_loading(session):
        notes = [Note(text="one"), Note(text="two")]
        session.add_all(notes)
        with session.no_autoflush, count_queries(session) as queries:
            assert [note.remarks for note in notes] == [[], []]
        assert queries.count == 0


def test_cascade(engine: Engine) -> None:
    """Cascades and orphans work on what was kept."""
    with Session(engine) as session, peer_loading(session):
        session.add_all(Note(text=f"{n}", remarks=[Remark(text="a"), Remark(text="b")]) for n in range(3))
        session.flush()
        session.expunge_all()
        one, other, third = session.scalars(select(Note).order_by(Note.id)).all()
        assert len(one.remarks) == 2
        session.delete(other)
        third.remarks.pop()
        session.flush()
        assert len(session.scalars(select(Remark)).all()) == 3


def test_eager_peers(engine: Engine) -> None:
    """Instances that have it loaded are left alone."""
    with Session(engine) as session, peer_loading(session), count_queries(session) as queries:
        authors = session.scalars(AUTHORS.options(selectinload(Author.posts))).all()
        assert [len(author.posts) for author in authors] == [3] * 6
    assert queries.count == 2
