"""Pages by keyset: every row once, in order, whatever the directions and the NULLs."""

import base64
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from sqlalchemy import Engine, delete, insert, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from pitstop import read_model
from pitstop.errors import CursorError, ReadModelError


class Base(DeclarativeBase):
    """The registry of these tests."""


class Item(Base):
    """Something with values to order by, of which some are missing."""

    __tablename__ = "item"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int | None]
    text: Mapped[str | None]
    always: Mapped[float]


class ItemOut(BaseModel):
    id: int
    cursor: str | None = None


NUMBER, TEXT, ALWAYS = Item.number, Item.text, Item.always
ORDERS: list[tuple[Any, ...]] = [
    (NUMBER,),
    (NUMBER.desc(),),
    (NUMBER.nulls_first(), TEXT.desc()),
    (NUMBER.desc().nulls_last(), TEXT),
    (ALWAYS, Item.id),
    (ALWAYS.desc(), Item.id.desc()),
    (ALWAYS.desc(), NUMBER, Item.id),
    (TEXT.desc().nulls_first(), ALWAYS, NUMBER.asc().nulls_first()),
    (NUMBER + 1, ALWAYS.desc()),
    (),
]
rows = st.lists(
    st.tuples(
        st.none() | st.integers(-2, 2),
        st.none() | st.sampled_from(["", "a", "B", "'", "null", '"é']),
        st.sampled_from([0.1, -1.5, 2.0, float("inf")]),
    ),
    max_size=12,
)


def walk(session: Session, order: tuple[Any, ...], size: int) -> list[list[int]]:
    """The ids of all pages."""
    shown = read_model(Item, ItemOut).order_by(*order)
    pages, after = [], None
    while True:
        page = shown.page(size, after=after).fetch_sync(session)
        pages.append([each["id"] for each in json.loads(page.data)])
        if page.next is None:
            return pages
        after = page.next


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=rows, order=st.sampled_from(ORDERS), size=st.integers(1, 4))
def test_every_row_once(
    sync_engine: Engine, values: list[tuple[Any, ...]], order: tuple[Any, ...], size: int
) -> None:
    """The pages, one behind the other, are the whole in its order; none but the last is short."""
    Base.metadata.create_all(sync_engine)
    with Session(sync_engine) as session:
        session.execute(delete(Item))
        if values:
            names = ("number", "text", "always")
            session.execute(insert(Item), [dict(zip(names, each, strict=True)) for each in values])
        whole = list(session.scalars(select(Item.id).order_by(*order, Item.id)))
        pages = walk(session, order, size)
        assert [each for page in pages for each in page] == whole
        assert all(len(page) == size for page in pages[:-1])
        assert len(pages) == max(1, -(-len(whole) // size))
        session.commit()


def test_after_values(sync_engine: Engine) -> None:
    """Rows behind given values, NULL among them; the key is added to the order."""
    Base.metadata.create_all(sync_engine)
    with Session(sync_engine) as session:
        session.add_all([Item(number=number, always=1.0) for number in (None, 3, 1, 2, None)])
        session.flush()
        shown = read_model(Item, ItemOut).order_by(Item.number)

        def ids(*values: Any) -> list[int]:
            return [each["id"] for each in json.loads(shown.after(*values).fetch_sync(session))]

        assert ids(1, 3) == [4, 2, 1, 5]
        assert ids(3, 2) == [1, 5]
        assert ids(None, 1) == [5]
        with pytest.raises(
            ReadModelError, match=r"after\(\) has 1 values for 2 keys: give item.number, item.id"
        ):
            shown.after(1)


def tampered() -> list[str]:
    good = read_model(Item, ItemOut).order_by(Item.always).page(1)._selection  # only to have an order
    cursors = read_model(Item, ItemOut).order_by(Item.always)._cursors
    token = cursors.token('["1.0", "7"]')
    assert good is not None
    return [
        "",
        "x",
        "é",
        token[:-1],
        token + "A",
        token.swapcase(),
        token[::-1],
        base64.urlsafe_b64encode(b'["1.0", "7"]').decode(),
        "a" * 100_000,
        read_model(Item, ItemOut).order_by(Item.always.desc())._cursors.token('["1.0", "7"]'),
    ]


@pytest.mark.parametrize("token", tampered(), ids=lambda token: token[:12] or "empty")
def test_a_cursor_that_is_none(token: str) -> None:
    """What was cut, changed or made for another order is refused before anything is asked."""
    with pytest.raises(CursorError, match="use the 'next' of a page as it is"):
        read_model(Item, ItemOut).order_by(Item.always).page(1, after=token)


@pytest.mark.parametrize(("size", "message"), [(0, "a page of 0 rows"), (-1, "a page of -1 rows")])
def test_sizes(size: int, message: str) -> None:
    """A page has a row at least."""
    with pytest.raises(ReadModelError, match=message):
        read_model(Item, ItemOut).page(size)


def test_a_page_has_its_own_limit() -> None:
    """A limit beside it is a mistake."""
    with pytest.raises(ReadModelError, match="a page has its own limit"):
        read_model(Item, ItemOut).limit(3).page(2)


def test_pages_share_their_statement() -> None:
    """Two pages are one statement with other values, so it is compiled once."""
    shown = read_model(Item, ItemOut).order_by(Item.always)
    token = shown._cursors.token('["1.0", "7"]')
    first, second = shown.page(2, after=token), shown.page(3, after=token)
    assert first._question is second._question
    assert shown.page(2)._question is not first._question
