"""The rows of the scenarios' schema: as many as its classes say."""

import datetime as dt
from typing import Any

from sqlalchemy import Engine, insert

from tests.sql.scenarios.models import (
    Album,
    Author,
    Badge,
    Base,
    Circle,
    Comment,
    Company,
    Currency,
    Depot,
    Employee,
    Engineer,
    Good,
    Invoice,
    Label,
    Leaf,
    Line,
    Manager,
    Node,
    Parcel,
    Post,
    Price,
    Profile,
    Shelf,
    Shop,
    Sticker,
    Stop,
    Tag,
    Task,
    Track,
    Vehicle,
    Wheel,
    membership,
    post_tag,
)


def _rows() -> dict[Any, list[dict[str, Any]]]:
    authors, posts, parcels = range(1, 7), range(1, 19), range(1, 1101)
    people = range(1, 9)
    goods = range(1, 9)
    words = {"biography": "b", "photo": "p", "voice": "v"}
    return {
        Author.__table__: [{"id": n, "name": f"author {n}", **words} for n in authors],
        Profile.__table__: [{"id": n, "motto": f"motto {n}", "author_id": n} for n in authors],
        Circle.__table__: [{"id": n, "name": f"circle {n}"} for n in (1, 2, 3)],
        membership: [
            {"author_id": n, "circle_id": circle} for n in authors for circle in (n % 3 + 1, (n + 1) % 3 + 1)
        ],
        Post.__table__: [
            {"id": n, "title": f"post {n}", "public": n % 3 != 0, "author_id": (n - 1) // 3 + 1}
            for n in posts
        ],
        Comment.__table__: [
            {"id": n, "text": f"comment {n}", "post_id": (n - 1) // 2 + 1, "writer_id": n % 6 + 1}
            for n in range(1, 37)
        ],
        Tag.__table__: [{"id": n, "name": f"tag {n}"} for n in (1, 2, 3, 4)],
        post_tag: [{"post_id": n, "tag_id": tag} for n in posts for tag in (n % 4 + 1, (n + 1) % 4 + 1)],
        Node.__table__: [
            {"id": n, "name": f"node {n}", "parent_id": None if n == 1 else 1 if n < 5 else (n - 5) // 2 + 2}
            for n in range(1, 11)
        ],
        Leaf.__table__: [{"id": n, "node_id": n} for n in range(1, 11)],
        Album.__table__: [{"id": n, "name": f"album {n}"} for n in range(1, 5)],
        Track.__table__: [
            {"id": n, "title": f"track {n}", "position": 2 - n % 3, "album_id": (n - 1) // 3 + 1}
            for n in range(1, 13)
        ],
        Depot.__table__: [{"country": country, "code": n} for country in ("kr", "no") for n in (1, 2)],
        Shelf.__table__: [
            {"id": n, "country": "kr" if n < 5 else "no", "code": (n - 1) // 2 % 2 + 1} for n in range(1, 9)
        ],
        Company.__table__: [{"id": n, "name": f"company {n}"} for n in (1, 2)],
        Employee.__table__: [
            {"id": n, "kind": "engineer" if n < 6 else "manager", "name": f"e {n}", "company_id": n % 2 + 1}
            for n in people
        ],
        Engineer.__table__: [{"id": n, "language": "python"} for n in people if n < 6],
        Manager.__table__: [{"id": n, "budget": n} for n in people if n >= 6],
        Badge.__table__: [{"id": n, "employee_id": n} for n in people],
        Task.__table__: [{"id": n, "engineer_id": (n - 1) // 2 + 1} for n in range(1, 11)],
        Vehicle.__table__: [{"id": n, "kind": "car" if n < 5 else "boat"} for n in range(1, 7)],
        Wheel.__table__: [{"id": n, "car_id": (n - 1) // 4 + 1} for n in range(1, 17)],
        Invoice.__table__: [{"id": n} for n in range(1, 6)],
        Line.__table__: [{"id": n, "invoice_id": (n - 1) // 2 + 1} for n in range(1, 11)],
        Shop.__table__: [{"id": n} for n in range(1, 5)],
        Good.__table__: [{"id": n, "shop_id": (n - 1) // 2 + 1} for n in goods],
        Currency.__table__: [{"id": n, "name": f"currency {n}"} for n in (1, 2, 3, 4)],
        Price.__table__: [{"id": n, "good_id": n, "currency_id": n % 4 + 1} for n in goods],
        Label.__table__: [{"id": n, "good_id": n} for n in goods],
        Sticker.__table__: [{"id": n, "good_id": n} for n in goods],
        Parcel.__table__: [
            {"id": n, "weight": n % 7, "day": dt.date(2026, 1, 1) + dt.timedelta(days=n % 180)}
            for n in parcels
        ],
        Stop.__table__: [{"id": n, "parcel_id": n} for n in parcels],
    }


def create_all(engine: Engine) -> None:
    """Make the tables and fill them."""
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        for table, rows in _rows().items():
            connection.execute(insert(table), rows)
