"""Association tables: rows without a class, whose change is one of the objects on both sides."""

from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from pitstop.cache import Cache


class Base(DeclarativeBase):
    pass


likes = sa.Table(
    "likes",
    Base.metadata,
    sa.Column("person_id", sa.ForeignKey("person.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("song_id", sa.ForeignKey("song.id", ondelete="CASCADE"), primary_key=True),
)


class Song(Base):
    __tablename__ = "song"
    id: Mapped[int] = mapped_column(primary_key=True)
    fans: Mapped[list["Person"]] = relationship(secondary=likes, back_populates="songs")


class Person(Base):
    __tablename__ = "person"
    id: Mapped[int] = mapped_column(primary_key=True)
    songs: Mapped[list[Song]] = relationship(secondary=likes, back_populates="fans")


def like(session: Session) -> None:
    person, song = session.get_one(Person, 1), session.get_one(Song, 2)
    person.songs.append(song)


def gain_a_fan(session: Session) -> None:
    person, song = session.get_one(Person, 1), session.get_one(Song, 2)
    song.fans.append(person)


def lose_the_fans(session: Session) -> None:
    session.get_one(Song, 1).fans = []


def delete_a_song(session: Session) -> None:
    session.delete(session.get_one(Song, 1))


def insert_by_hand(session: Session) -> None:
    session.execute(sa.insert(likes).values(person_id=1, song_id=2))


def delete_in_the_database(session: Session) -> None:
    session.execute(sa.delete(Song).where(Song.id == 1))


WRITES = [like, gain_a_fan, lose_the_fans, delete_a_song, insert_by_hand, delete_in_the_database]


@pytest.fixture
def engine(sync_database_url: str) -> Iterator[sa.Engine]:
    engine = sa.create_engine(sync_database_url)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all([Person(id=1, songs=[Song(id=1)]), Person(id=2, songs=[Song(id=3)]), Song(id=2)])
        session.commit()
    yield engine
    engine.dispose()


@pytest.mark.parametrize("write", WRITES, ids=lambda each: each.__name__)
async def test_both_sides_change(engine: sa.Engine, write: Callable[[Session], None]) -> None:
    """A link that is made or cut drops the tags of both objects, whichever of them was touched."""
    async with Cache() as cache:

        @cache.cached(ttl=60, tags=["person:{person_id}"])
        def songs_of(person_id: int) -> list[int]:
            with Session(engine) as session:
                query = sa.select(likes.c.song_id).where(likes.c.person_id == person_id)
                return list(session.scalars(query.order_by(likes.c.song_id)))

        @cache.cached(ttl=60, tags=["song:{song_id}"])
        def fans_of(song_id: int) -> list[int]:
            with Session(engine) as session:
                return list(session.scalars(sa.select(likes.c.person_id).where(likes.c.song_id == song_id)))

        cache.invalidate_on_commit(Person, tags=["person:{id}"])
        cache.invalidate_on_commit(Song, tags=["song:{id}"])
        assert (songs_of(1), songs_of(2), fans_of(1), fans_of(2)) == ([1], [3], [1], [])
        with Session(engine) as session:
            write(session)
            session.commit()
        assert songs_of(1) == songs_of.bypass(1)
        assert [fans_of(each) for each in (1, 2)] == [fans_of.bypass(each) for each in (1, 2)]


@pytest.mark.parametrize("write", [gain_a_fan, lose_the_fans], ids=lambda each: each.__name__)
async def test_others_do_not(engine: sa.Engine, write: Callable[[Session], None]) -> None:
    """A flush tells which rows it linked: what belongs to another object stays."""
    async with Cache() as cache:

        @cache.cached(ttl=60, tags=["person:{person_id}"])
        def other(person_id: int) -> int:
            return person_id

        cache.invalidate_on_commit(Person, tags=["person:{id}"])
        other(2)
        with Session(engine) as session:
            write(session)
            session.commit()
        other(2)
        assert cache.stats().namespaces["default"].loads == 1
