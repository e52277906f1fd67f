"""The hooks around COMMIT: who is called when, with what."""

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

from pitstop.transactions import Changes, join


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "transaction_item"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Other(Base):
    __tablename__ = "transaction_other"
    id: Mapped[int] = mapped_column(primary_key=True)


class Diary:
    """A participant that notes what it is told, and what another connection sees at that moment."""

    def __init__(self, engine: sa.Engine | None = None, *, refuse: bool = False) -> None:
        self.engine = engine
        self.refuse = refuse
        self.notes: list[tuple[str, Changes]] = []
        self.visible: list[int] = []

    def _note(self, what: str, changes: Changes) -> None:
        self.notes.append((what, changes))
        if self.engine is not None:
            with self.engine.connect() as other:
                self.visible.append(other.scalar(sa.text("select count(*) from transaction_item")))

    def before_commit(self, connection: sa.Connection, changes: Changes) -> None:
        assert connection.in_transaction()
        self._note("before", changes)
        if self.refuse:
            raise RuntimeError("refused")

    def after_commit(self, changes: Changes) -> None:
        self._note("after", changes)

    def after_rollback(self, changes: Changes) -> None:
        self._note("rollback", changes)

    def names(self, index: int = -1) -> dict[str, list[str]]:
        changes = self.notes[index][1]
        return {kind: [each.name for each in getattr(changes, kind)] for kind in ("new", "dirty", "deleted")}

    @property
    def calls(self) -> list[str]:
        return [what for what, _ in self.notes]


@pytest.fixture
def engine(sync_database_url: str) -> Any:
    engine = sa.create_engine(sync_database_url)
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


def _joined(engine: sa.Engine, diary: Diary) -> sessionmaker[Session]:
    maker = sessionmaker(engine, expire_on_commit=False)
    join(diary, maker)
    return maker


def test_brackets_the_commit(engine: sa.Engine) -> None:
    """Before it nobody else sees the rows, after it everybody does; both hooks get the objects."""
    diary = Diary(engine)
    with _joined(engine, diary)() as session:
        session.add(Item(name="a"))
        session.commit()
    assert diary.calls == ["before", "after"]
    assert diary.visible == [0, 1]
    assert diary.names()["new"] == ["a"]


def test_once_for_several_flushes(engine: sa.Engine) -> None:
    """An object that is flushed, changed and flushed again is new once."""
    diary = Diary()
    with _joined(engine, diary)() as session:
        item = Item(name="a")
        session.add(item)
        session.flush()
        item.name = "b"
        session.flush()
        session.commit()
    assert diary.calls == ["before", "after"]
    assert diary.names() == {"new": ["b"], "dirty": [], "deleted": []}


def test_dirty_and_deleted(engine: sa.Engine) -> None:
    """Changed and deleted objects are told apart; an untouched one is not told."""
    diary = Diary()
    with _joined(engine, diary)() as session:
        first, second, third = (Item(name=name) for name in "abc")
        session.add_all([first, second, third])
        session.commit()
        first.name = "changed"
        session.delete(second)
        third.name = "c"
        session.commit()
    assert diary.names() == {"new": [], "dirty": ["changed"], "deleted": ["b"]}


def test_rollback(engine: sa.Engine) -> None:
    """A rollback is told with what would have been written, and the next transaction starts empty."""
    diary = Diary()
    with _joined(engine, diary)() as session:
        session.add(Item(name="a"))
        session.flush()
        session.rollback()
        session.commit()
    assert diary.calls == ["rollback"]
    assert diary.names()["new"] == ["a"]


def test_savepoint_rolled_back_drops_its_own(engine: sa.Engine) -> None:
    """Only what was flushed below the savepoint is dropped, also below a savepoint released inside it."""
    diary = Diary()
    with _joined(engine, diary)() as session:
        session.add(Item(name="kept"))
        session.flush()
        outer = session.begin_nested()
        session.add(Item(name="dropped"))
        session.flush()
        with session.begin_nested():
            session.add(Item(name="dropped too"))
        outer.rollback()
        with session.begin_nested():
            session.add(Item(name="kept too"))
        session.commit()
    assert diary.calls == ["before", "after"]
    assert diary.names()["new"] == ["kept", "kept too"]


@pytest.mark.parametrize(
    ("statement", "tables"),
    [
        (sa.update(Item).values(name="x"), {"transaction_item"}),
        (sa.delete(Item), {"transaction_item"}),
        (sa.insert(Item).values(name="x"), {"transaction_item"}),
        (sa.text("update transaction_item set name = 'x'"), {"*"}),
        (sa.text("with x as (select 1) delete from transaction_item"), {"*"}),
        (sa.text("select 1; delete from transaction_item"), {"*"}),
        (sa.text("explain analyze delete from transaction_item"), {"*"}),
        (sa.text("delete from transaction_item returning name").columns(Item.name), {"*"}),
        (sa.select(Item).from_statement(sa.delete(Item).returning(Item)), {"transaction_item"}),
    ],
)
def test_bulk_statements_name_their_table(engine: sa.Engine, statement: Any, tables: set[str]) -> None:
    """A bulk statement tells its table; a textual one that may write tells that it is unknown."""
    diary = Diary()
    with _joined(engine, diary)() as session:
        session.execute(statement)
        session.commit()
    assert diary.calls == ["before", "after"]
    assert diary.notes[0][1].tables == tables


def test_reading_is_not_told(engine: sa.Engine) -> None:
    """A transaction that only reads calls nobody."""
    diary = Diary()
    with _joined(engine, diary)() as session:
        session.execute(sa.text("select 1"))
        session.scalars(sa.select(Item)).all()
        session.commit()
    assert diary.calls == []


def test_refusing_rolls_back(engine: sa.Engine) -> None:
    """To raise before the commit leaves nothing written."""
    diary = Diary(refuse=True)
    with _joined(engine, diary)() as session:
        session.add(Item(name="a"))
        with pytest.raises(RuntimeError, match="refused"):
            session.commit()
        session.rollback()
        assert session.scalar(sa.select(sa.func.count()).select_from(Item)) == 0
    assert diary.calls == ["before", "rollback"]


def test_failure_after_the_commit_is_logged(engine: sa.Engine, caplog: pytest.LogCaptureFixture) -> None:
    """What fails after the commit does not fail the application."""

    class Clumsy(Diary):
        def after_commit(self, changes: Changes) -> None:
            raise OSError("network gone")

    with _joined(engine, Clumsy())() as session:
        session.add(Item(name="a"))
        session.commit()
    assert "network gone" in caplog.text


def test_leaving(engine: sa.Engine) -> None:
    """After leaving nobody is called; leaving twice is harmless."""
    diary = Diary()
    maker = sessionmaker(engine)
    leave = join(diary, maker)
    leave()
    leave()
    with maker() as session:
        session.add(Item(name="a"))
        session.commit()
    assert diary.calls == []


async def test_async_session(database_url: str) -> None:
    """The session below an AsyncSession calls the same hooks."""
    engine = create_async_engine(database_url)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    diary = Diary()
    async with AsyncSession(engine) as session:
        join(diary, session.sync_session)
        session.add(Item(name="a"))
        await session.commit()
    await engine.dispose()
    assert diary.calls == ["before", "after"]


def test_a_session_of_two_databases(engine: sa.Engine) -> None:
    """A session with an engine for each class commits; each connection that wrote is told of."""
    diary, other = Diary(), sa.create_engine(engine.url)
    leave = join(diary, Session)
    with Session(binds={Item: engine, Other: other}) as session:
        session.add_all([Item(name="a"), Other(id=1)])
        session.commit()
    leave()
    other.dispose()
    assert diary.calls == ["before", "before", "after", "after"]


def test_what_a_later_listener_writes_is_told(engine: sa.Engine) -> None:
    """A listener that writes when the participant was told already: it is told of that as well."""
    diary = Diary()
    with _joined(engine, diary)() as session:
        sa.event.listen(session, "before_commit", lambda s: s.execute(sa.update(Item).values(name="late")))
        session.add(Item(name="a"))
        session.commit()
    assert diary.calls == ["before", "before", "after", "after"]
    assert [each.tables for _, each in diary.notes[:2]] == [set(), {"transaction_item"}]
