"""Loops over pages, chunks and ranges of a large table. All must stay silent."""

import datetime as dt
from typing import Any

from sqlalchemy import and_, bindparam, func, or_, select, text, tuple_
from sqlalchemy.orm import Session, selectinload

from tests.sql.scenarios.models import Parcel
from tests.sql.scenarios.record import Scenario, make_negative

SCENARIOS: list[Scenario] = []
negative = make_negative(SCENARIOS)


@negative()
def keyset_pages(session: Session, options: Any = ()) -> Any:
    last, seen = 0, 0
    while rows := session.scalars(
        select(Parcel).where(Parcel.id > last).order_by(Parcel.id).limit(200)
    ).all():
        last, seen = rows[-1].id, seen + len(rows)
    assert seen == 1100


@negative()
def keyset_pages_downwards(session: Session, options: Any = ()) -> Any:
    last: int | None = None
    seen = 0
    while True:
        statement = select(Parcel.id).order_by(Parcel.id.desc()).limit(150)
        if last is not None:
            statement = statement.where(Parcel.id < last)
        ids = session.scalars(statement).all()
        if not ids:
            break
        last, seen = ids[-1], seen + len(ids)
    assert seen == 1100


@negative()
def keyset_pages_by_row_value(session: Session, options: Any = ()) -> Any:
    weight, last, seen = -1, 0, 0
    while True:
        statement = (
            select(Parcel)
            .where(tuple_(Parcel.weight, Parcel.id) > tuple_(weight, last))
            .order_by(Parcel.weight, Parcel.id)
            .limit(250)
        )
        rows = session.scalars(statement).all()
        if not rows:
            break
        weight, last, seen = rows[-1].weight, rows[-1].id, seen + len(rows)
    assert seen == 1100


@negative()
def keyset_pages_expanded(session: Session, options: Any = ()) -> Any:
    weight, last, seen = -1, 0, 0
    while True:
        after = or_(Parcel.weight > weight, and_(Parcel.weight == weight, Parcel.id > last))
        statement = select(Parcel).where(after).order_by(Parcel.weight, Parcel.id).limit(250)
        rows = session.scalars(statement).all()
        if not rows:
            break
        weight, last, seen = rows[-1].weight, rows[-1].id, seen + len(rows)
    assert seen == 1100


@negative()
def keyset_pages_with_a_filter(session: Session, options: Any = ()) -> Any:
    last = 0
    while True:
        statement = select(Parcel).where(Parcel.weight == 3, Parcel.id > last).order_by(Parcel.id).limit(40)
        rows = session.scalars(statement).all()
        if not rows:
            break
        last = rows[-1].id


@negative()
def keyset_pages_in_text(session: Session, options: Any = ()) -> Any:
    statement = text("SELECT id FROM parcel WHERE id > :last ORDER BY id LIMIT 200")
    last = 0
    while rows := session.execute(statement, {"last": last}).all():
        last = rows[-1].id


@negative()
def keyset_pages_with_selectinload(session: Session, options: Any = ()) -> Any:
    last = 0
    statement = select(Parcel).order_by(Parcel.id).limit(200).options(selectinload(Parcel.stops))
    while rows := session.scalars(statement.where(Parcel.id > last)).all():
        last = rows[-1].id
        assert all(len(parcel.stops) == 1 for parcel in rows)


@negative()
def offset_pages(session: Session, options: Any = ()) -> Any:
    for offset in range(0, 1100, 200):
        assert session.scalars(select(Parcel).order_by(Parcel.id).limit(200).offset(offset)).all()


@negative()
def offset_pages_with_a_total(session: Session, options: Any = ()) -> Any:
    for page in range(5):
        assert session.scalar(select(func.count()).select_from(Parcel)) == 1100
        session.scalars(select(Parcel).order_by(Parcel.id).limit(20).offset(20 * page)).all()


@negative()
def identifiers_in_chunks(session: Session, options: Any = ()) -> Any:
    ids = list(range(1, 601))
    for start in range(0, 600, 100):
        assert session.scalars(select(Parcel).where(Parcel.id.in_(ids[start : start + 100]))).all()


@negative()
def identifiers_in_chunks_with_a_short_last_one(session: Session, options: Any = ()) -> Any:
    wanted = select(Parcel.weight).where(Parcel.id.in_(bindparam("ids", expanding=True)))
    for start in range(1, 500, 120):
        session.execute(wanted, {"ids": list(range(start, min(start + 120, 500)))}).all()


@negative()
def date_ranges(session: Session, options: Any = ()) -> Any:
    for month in range(1, 6):
        start, end = dt.date(2026, month, 1), dt.date(2026, month + 1, 1)
        session.scalars(select(Parcel).where(Parcel.day >= start, Parcel.day < end)).all()


@negative()
def date_ranges_between(session: Session, options: Any = ()) -> Any:
    for week in range(8):
        start = dt.date(2026, 1, 1) + dt.timedelta(weeks=week)
        within = Parcel.day.between(start, start + dt.timedelta(days=6))
        session.scalar(select(func.count()).select_from(Parcel).where(within))


@negative()
def tail_of_a_growing_table(session: Session, options: Any = ()) -> Any:
    for last in (1000, 1050, 1090, 1100, 1100):
        session.scalars(select(Parcel).where(Parcel.id > last)).all()
