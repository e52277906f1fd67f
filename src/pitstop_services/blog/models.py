"""The tables: users, posts and comments, with the plain lazy relations most backends have."""

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, DateTime, ForeignKey, Identity, Integer, Text, func, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncAttrs
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

__all__ = ["Base", "Comment", "Post", "User"]


class Base(AsyncAttrs, DeclarativeBase):
    """The root of the blog's models."""

    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy declares it as an instance's
        int: BigInteger,
        str: Text,
        datetime: DateTime(timezone=True),
        list[str]: ARRAY(Text),
    }


class User(Base):
    """Somebody who writes; ``id`` -1 is the community's own account."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    name: Mapped[str]
    reputation: Mapped[int] = mapped_column(Integer, server_default=text("1"))
    views: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    is_active: Mapped[bool] = mapped_column(Boolean, server_default=text("true"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    posts: Mapped[list["Post"]] = relationship(back_populates="author")


class Post(Base):
    """A question, an answer, or one of the site's own pages (which are not published)."""

    __tablename__ = "posts"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("posts.id"))
    author_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    is_published: Mapped[bool] = mapped_column(Boolean, server_default=text("true"))
    title: Mapped[str]
    body: Mapped[str]
    tags: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    score: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    views: Mapped[int | None] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime | None]

    author: Mapped[User | None] = relationship(back_populates="posts")
    comments: Mapped[list["Comment"]] = relationship(
        back_populates="post", order_by="Comment.created_at, Comment.id"
    )


class Comment(Base):
    """A remark under a post."""

    __tablename__ = "comments"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    post_id: Mapped[int] = mapped_column(ForeignKey("posts.id"))
    author_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    body: Mapped[str]
    score: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    post: Mapped[Post] = relationship(back_populates="comments")
    author: Mapped[User | None] = relationship()
