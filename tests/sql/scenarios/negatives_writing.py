"""Set-up and writes, which need a statement each. All must stay silent."""

from typing import Any

from sqlalchemy import bindparam, create_engine, delete, insert, select, text, update
from sqlalchemy.orm import Session

from tests.sql.scenarios.models import Author, Note, Remark
from tests.sql.scenarios.record import Scenario, make_negative

SCENARIOS: list[Scenario] = []
negative = make_negative(SCENARIOS)


@negative()
def adds_and_commits(session: Session, options: Any = ()) -> Any:
    for number in range(5):
        session.add(Note(text=f"note {number}"))
        session.commit()


@negative()
def adds_and_flushes(session: Session, options: Any = ()) -> Any:
    for number in range(5):
        note = Note(text=f"note {number}")
        session.add(note)
        session.flush()
        session.add(Remark(text="at once", note_id=note.id))
        session.flush()
    session.rollback()


@negative()
def refresh_after_each_creation(session: Session, options: Any = ()) -> Any:
    for number in range(5):
        note = Note(text=f"note {number}")
        session.add(note)
        session.commit()
        session.refresh(note)
        assert note.id


@negative()
def identifier_read_after_each_commit(session: Session, options: Any = ()) -> Any:
    ids = []
    for number in range(5):
        note = Note(text=f"note {number}")
        session.add(note)
        session.commit()
        ids.append(note.id)
    assert len(set(ids)) == 5


def _make_note(session: Session, words: str) -> Note:
    note = Note(text=words, remarks=[Remark(text="first"), Remark(text="second")])
    session.add(note)
    session.commit()
    session.refresh(note)
    return note


@negative()
def factory_in_a_loop(session: Session, options: Any = ()) -> Any:
    assert [_make_note(session, f"note {number}").text for number in range(4)]


@negative()
def bulk_inserts_in_a_loop(session: Session, options: Any = ()) -> Any:
    for start in range(0, 600, 100):
        session.execute(insert(Note), [{"text": f"note {n}"} for n in range(start, start + 100)])
    session.rollback()


@negative()
def add_all_of_many(session: Session, options: Any = ()) -> Any:
    session.add_all([Note(text=f"note {number}") for number in range(300)])
    session.flush()
    session.rollback()


@negative()
def inserts_in_a_core_loop(session: Session, options: Any = ()) -> Any:
    connection = session.connection()
    for number in range(5):
        connection.execute(insert(Note).values(text=f"note {number}"))
    session.rollback()


@negative()
def inserts_that_return(session: Session, options: Any = ()) -> Any:
    for number in range(5):
        assert session.scalar(insert(Note).values(text=f"note {number}").returning(Note.id))
    session.rollback()


@negative()
def updates_in_a_loop(session: Session, options: Any = ()) -> Any:
    for number in range(5):
        session.execute(update(Note).where(Note.id == number).values(state="done"))
    session.rollback()


@negative()
def updates_that_return_in_text(session: Session, options: Any = ()) -> Any:
    statement = text("UPDATE note SET state = 'done' WHERE id = :id RETURNING id")
    for number in range(5):
        session.execute(statement, {"id": number}).all()
    session.rollback()


@negative()
def with_queries_that_write(session: Session, options: Any = ()) -> Any:
    statement = text(
        "WITH chosen AS (SELECT CAST(:id AS INTEGER) AS id)"
        " UPDATE note SET state = 'x' WHERE id = (SELECT id FROM chosen)"
    )
    for number in range(5):
        session.connection().execute(statement.bindparams(bindparam("id", number)))
    session.rollback()


@negative()
def deletes_in_a_loop(session: Session, options: Any = ()) -> Any:
    for number in range(5):
        session.execute(delete(Remark).where(Remark.note_id == number))
    session.rollback()


@negative()
def changed_objects_flushed_one_by_one(session: Session, options: Any = ()) -> Any:
    for author in session.scalars(select(Author)).all():
        author.name = f"{author.name} the same"
        session.flush()
    session.rollback()


@negative()
def executemany(session: Session, options: Any = ()) -> Any:
    statement = update(Note.__table__).where(Note.id == bindparam("number")).values(state="done")  # type: ignore[arg-type]
    session.connection().execute(statement, [{"number": number} for number in range(20)])
    session.rollback()


@negative()
def savepoints_in_a_loop(session: Session, options: Any = ()) -> Any:
    for number in range(5):
        with session.begin_nested():
            session.add(Note(text=f"note {number}"))
    session.rollback()


@negative()
def queue_taken_one_by_one(session: Session, options: Any = ()) -> Any:
    session.add_all([Note(text=f"job {number}", state="queued") for number in range(4)])
    session.flush()
    waiting = select(Note).where(Note.state == "queued").order_by(Note.id).limit(1)
    while note := session.scalars(waiting.with_for_update(skip_locked=True)).first():
        note.state = "done"
        session.flush()
    session.rollback()


@negative(mode="sync")
def transactions_in_a_loop_with_pre_ping(session: Session, options: Any = ()) -> Any:
    engine = create_engine(session.get_bind().engine.url, pool_pre_ping=True)
    for _ in range(5):
        with engine.begin() as connection:
            assert connection.execute(text("SELECT 1")).scalar_one() == 1
    engine.dispose()


@negative()
def transactions_in_a_loop(session: Session, options: Any = ()) -> Any:
    for _ in range(5):
        session.scalar(select(Author.name).where(Author.id == 1))
        session.commit()


@negative()
def children_added_after_each_flush(session: Session, options: Any = ()) -> Any:
    for number in range(5):
        note = Note(text=f"note {number}")
        session.add(note)
        session.flush()
        note.remarks.append(Remark(text="looks for others first"))
    session.rollback()


@negative()
def answers_with_what_was_made(session: Session, options: Any = ()) -> Any:
    for number in range(5):
        note = Note(text=f"note {number}")
        session.add(note)
        session.commit()
        assert (note.text, note.remarks) == (f"note {number}", [])
