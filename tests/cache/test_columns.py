"""``invalidate_on_commit(columns=)``: an edit invalidates only what its columns concern."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, create_engine, delete
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from pitstop.cache import Cache
from pitstop.errors import SettingsError


class Base(DeclarativeBase):
    pass


class Article(Base):
    __tablename__ = "articles"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    hidden: Mapped[bool] = mapped_column(default=False)


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(Article(id=1, title="one"))
        session.commit()
    yield engine
    engine.dispose()


def test_only_the_named_columns_count(engine: Engine) -> None:
    """A new, hidden, deleted or bulk-changed row changes the list; an edit of its title does not."""
    cache = Cache(redis=None)
    cache.invalidate_on_commit(Article, tags=["articles"], columns=["hidden"])
    calls: list[int] = []

    @cache.cached(ttl=60, tags=["articles"])
    def titles() -> int:
        calls.append(1)
        return len(calls)

    with Session(engine) as session:
        assert titles() == 1
        article = session.get_one(Article, 1)
        article.title = "two"
        session.commit()
        assert titles() == 1
        article.hidden = True
        session.commit()
        assert titles() == 2
        session.add(Article(id=2, title="new"))
        session.commit()
        assert titles() == 3
        session.delete(article)
        session.commit()
        assert titles() == 4
        session.execute(delete(Article))
        session.commit()
        assert titles() == 5


def test_a_column_that_is_none() -> None:
    """A name that is no mapped column is refused where it is written."""
    with pytest.raises(SettingsError, match="columns of Article name 'visible', which is no mapped column"):
        Cache(redis=None).invalidate_on_commit(Article, tags=["articles"], columns=["visible"])
