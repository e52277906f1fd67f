"""The schema that the scenarios walk: every shape of relation that SQLAlchemy offers, and its seed."""

import datetime as dt
from typing import Optional

from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint, Table, func, select
from sqlalchemy.ext.associationproxy import AssociationProxy, association_proxy
from sqlalchemy.ext.asyncio import AsyncAttrs
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.ext.orderinglist import ordering_list
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    WriteOnlyMapped,
    attribute_keyed_dict,
    column_property,
    mapped_column,
    relationship,
)


class Base(AsyncAttrs, DeclarativeBase):
    """The registry of the scenarios."""


post_tag = Table(
    "post_tag",
    Base.metadata,
    Column("post_id", ForeignKey("post.id"), primary_key=True),
    Column("tag_id", ForeignKey("tag.id"), primary_key=True),
)

membership = Table(
    "membership",
    Base.metadata,
    Column("author_id", ForeignKey("author.id"), primary_key=True),
    Column("circle_id", ForeignKey("circle.id"), primary_key=True),
)


class Author(Base):
    """Six of them, three posts each."""

    __tablename__ = "author"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    biography: Mapped[str] = mapped_column(deferred=True)
    photo: Mapped[str] = mapped_column(deferred=True, deferred_group="media")
    voice: Mapped[str] = mapped_column(deferred=True, deferred_group="media")
    posts: Mapped[list["Post"]] = relationship(back_populates="author", order_by="Post.id")
    profile: Mapped["Profile"] = relationship(back_populates="author")
    circles: Mapped[list["Circle"]] = relationship(
        secondary=membership, back_populates="members", order_by="Circle.id"
    )
    published: Mapped[list["Post"]] = relationship(
        primaryjoin="and_(Author.id == foreign(Post.author_id), Post.public == True)",
        viewonly=True,
        order_by="Post.id",
    )
    stream: WriteOnlyMapped["Post"] = relationship(viewonly=True, order_by="Post.id")
    post_titles: AssociationProxy[list[str]] = association_proxy("posts", "title")

    @property
    def headline(self) -> str:
        return f"{self.name}: {self.posts[0].title}"  # <property>

    @hybrid_property
    def letters(self) -> int:
        return sum(len(post.title) for post in self.posts)  # <hybrid>


class Profile(Base):
    """One to each author."""

    __tablename__ = "profile"
    id: Mapped[int] = mapped_column(primary_key=True)
    motto: Mapped[str]
    author_id: Mapped[int] = mapped_column(ForeignKey("author.id"), unique=True)
    author: Mapped[Author] = relationship(back_populates="profile")


class Circle(Base):
    """Three of them, every author in two."""

    __tablename__ = "circle"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    members: Mapped[list[Author]] = relationship(
        secondary=membership, back_populates="circles", order_by=Author.id
    )


class Post(Base):
    """Eighteen of them, two comments and two tags each."""

    __tablename__ = "post"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    public: Mapped[bool]
    author_id: Mapped[int] = mapped_column(ForeignKey("author.id"))
    author: Mapped[Author] = relationship(back_populates="posts")
    comments: Mapped[list["Comment"]] = relationship(back_populates="post", order_by="Comment.id")
    tags: Mapped[set["Tag"]] = relationship(secondary=post_tag)

    def __repr__(self) -> str:
        return f"<Post of {self.author.name}>"  # <repr>


Author.post_count = column_property(  # type: ignore[attr-defined]
    select(func.count(Post.id)).where(Post.author_id == Author.id).scalar_subquery(), deferred=True
)


class Comment(Base):
    """Thirty-six of them, written by the authors."""

    __tablename__ = "comment"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
    post_id: Mapped[int] = mapped_column(ForeignKey("post.id"))
    writer_id: Mapped[int] = mapped_column(ForeignKey("author.id"))
    post: Mapped[Post] = relationship(back_populates="comments")
    writer: Mapped[Author] = relationship()


class Tag(Base):
    """Four of them."""

    __tablename__ = "tag"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Node(Base):
    """A tree of 1 + 3 + 6 nodes: the root has three children, each of them two."""

    __tablename__ = "node"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("node.id"))
    parent: Mapped[Optional["Node"]] = relationship(back_populates="children", remote_side=[id])
    children: Mapped[list["Node"]] = relationship(back_populates="parent", order_by="Node.id")


class Album(Base):
    """Four of them, with three ordered tracks each."""

    __tablename__ = "album"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    tracks: Mapped[list["Track"]] = relationship(
        order_by="Track.position", collection_class=ordering_list("position")
    )
    by_title: Mapped[dict[str, "Track"]] = relationship(
        collection_class=attribute_keyed_dict("title"), viewonly=True
    )


class Track(Base):
    """A track of an album."""

    __tablename__ = "track"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    position: Mapped[int]
    album_id: Mapped[int] = mapped_column(ForeignKey("album.id"))


class Depot(Base):
    """Four of them, with a composite key."""

    __tablename__ = "depot"
    country: Mapped[str] = mapped_column(primary_key=True)
    code: Mapped[int] = mapped_column(primary_key=True)
    shelves: Mapped[list["Shelf"]] = relationship(back_populates="depot", order_by="Shelf.id")


class Shelf(Base):
    """Two to each depot."""

    __tablename__ = "shelf"
    id: Mapped[int] = mapped_column(primary_key=True)
    country: Mapped[str]
    code: Mapped[int]
    depot: Mapped[Depot] = relationship(back_populates="shelves")
    __table_args__ = (ForeignKeyConstraint(["country", "code"], ["depot.country", "depot.code"]),)


class Company(Base):
    """Two of them, with four employees each."""

    __tablename__ = "company"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    employees: Mapped[list["Employee"]] = relationship(back_populates="company", order_by="Employee.id")


class Employee(Base):
    """Joined-table inheritance: five engineers and three managers."""

    __tablename__ = "employee"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    name: Mapped[str]
    company_id: Mapped[int] = mapped_column(ForeignKey("company.id"))
    company: Mapped[Company] = relationship(back_populates="employees")
    badges: Mapped[list["Badge"]] = relationship(order_by="Badge.id")
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "employee"}  # noqa: RUF012


class Engineer(Employee):
    """Has tasks."""

    __tablename__ = "engineer"
    id: Mapped[int] = mapped_column(ForeignKey("employee.id"), primary_key=True)
    language: Mapped[str]
    resume: Mapped[str] = mapped_column(default="a resume", deferred=True)
    tasks: Mapped[list["Task"]] = relationship(order_by="Task.id")
    __mapper_args__ = {"polymorphic_identity": "engineer"}  # noqa: RUF012


class Manager(Employee):
    """Has a budget."""

    __tablename__ = "manager"
    id: Mapped[int] = mapped_column(ForeignKey("employee.id"), primary_key=True)
    budget: Mapped[int]
    agenda: Mapped[str] = mapped_column(default="an agenda", deferred=True, deferred_group="office")
    diary: Mapped[str] = mapped_column(default="a diary", deferred=True, deferred_group="office")
    __mapper_args__ = {"polymorphic_identity": "manager"}  # noqa: RUF012


class Badge(Base):
    """One to each employee."""

    __tablename__ = "badge"
    id: Mapped[int] = mapped_column(primary_key=True)
    employee_id: Mapped[int] = mapped_column(ForeignKey("employee.id"))


class Task(Base):
    """Two to each engineer."""

    __tablename__ = "task"
    id: Mapped[int] = mapped_column(primary_key=True)
    engineer_id: Mapped[int] = mapped_column(ForeignKey("engineer.id"))


class Vehicle(Base):
    """Single-table inheritance: four cars and two boats."""

    __tablename__ = "vehicle"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "vehicle"}  # noqa: RUF012


class Car(Vehicle):
    """Has wheels."""

    wheels: Mapped[list["Wheel"]] = relationship(order_by="Wheel.id")
    __mapper_args__ = {"polymorphic_identity": "car"}  # noqa: RUF012


class Boat(Vehicle):
    """Has none."""

    __mapper_args__ = {"polymorphic_identity": "boat"}  # noqa: RUF012


class Wheel(Base):
    """Four to each car."""

    __tablename__ = "wheel"
    id: Mapped[int] = mapped_column(primary_key=True)
    car_id: Mapped[int] = mapped_column(ForeignKey("vehicle.id"))


class Invoice(Base):
    """Five of them; loading one pulls other strategies along."""

    __tablename__ = "invoice"
    id: Mapped[int] = mapped_column(primary_key=True)
    lines: Mapped[list["Line"]] = relationship(lazy="immediate", order_by="Line.id")


class Line(Base):
    """Two to each invoice."""

    __tablename__ = "line"
    id: Mapped[int] = mapped_column(primary_key=True)
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoice.id"))


class Shop(Base):
    """Four of them."""

    __tablename__ = "shop"
    id: Mapped[int] = mapped_column(primary_key=True)
    goods: Mapped[list["Good"]] = relationship(order_by="Good.id")


class Good(Base):
    """Two to each shop; its own relations are loaded eagerly, in three ways."""

    __tablename__ = "good"
    id: Mapped[int] = mapped_column(primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id"))
    prices: Mapped[list["Price"]] = relationship(lazy="selectin", order_by="Price.id")  # codespell:ignore
    labels: Mapped[list["Label"]] = relationship(lazy="subquery", order_by="Label.id")
    stickers: Mapped[list["Sticker"]] = relationship(lazy="joined", order_by="Sticker.id")


class Currency(Base):
    """Four of them."""

    __tablename__ = "currency"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Price(Base):
    """One to each good."""

    __tablename__ = "price"
    id: Mapped[int] = mapped_column(primary_key=True)
    good_id: Mapped[int] = mapped_column(ForeignKey("good.id"))
    currency_id: Mapped[int] = mapped_column(ForeignKey("currency.id"))
    currency: Mapped[Currency] = relationship()


class Label(Base):
    """One to each good."""

    __tablename__ = "label"
    id: Mapped[int] = mapped_column(primary_key=True)
    good_id: Mapped[int] = mapped_column(ForeignKey("good.id"))


class Sticker(Base):
    """One to each good."""

    __tablename__ = "sticker"
    id: Mapped[int] = mapped_column(primary_key=True)
    good_id: Mapped[int] = mapped_column(ForeignKey("good.id"))


class Parcel(Base):
    """Eleven hundred of them, so that loaders work in chunks and pages are many."""

    __tablename__ = "parcel"
    id: Mapped[int] = mapped_column(primary_key=True)
    weight: Mapped[int]
    day: Mapped[dt.date]
    stops: Mapped[list["Stop"]] = relationship(back_populates="parcel")


class Stop(Base):
    """One to each parcel."""

    __tablename__ = "stop"
    id: Mapped[int] = mapped_column(primary_key=True)
    parcel_id: Mapped[int] = mapped_column(ForeignKey("parcel.id"))
    parcel: Mapped[Parcel] = relationship(back_populates="stops")


class Note(Base):
    """Empty at the start: the scenarios that write do it here."""

    __tablename__ = "note"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
    state: Mapped[str] = mapped_column(default="new")
    remarks: Mapped[list["Remark"]] = relationship(back_populates="note", cascade="all, delete-orphan")


class Remark(Base):
    """A remark on a note."""

    __tablename__ = "remark"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
    note_id: Mapped[int] = mapped_column(ForeignKey("note.id"))
    note: Mapped[Note] = relationship(back_populates="remarks")
