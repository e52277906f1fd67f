"""The tables: stores, categories, products, stock and transactions, with plain lazy relations."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import BigInteger, DateTime, ForeignKey, Identity, Integer, Numeric, Text, func, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

__all__ = ["Base", "Category", "Product", "Stock", "Store", "Transaction"]


class Base(DeclarativeBase):
    """The root of the inventory's models."""

    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy declares it as an instance's
        int: BigInteger,
        str: Text,
        Decimal: Numeric(12, 4),
        datetime: DateTime(timezone=True),
    }


class Store(Base):
    """A place where products lie."""

    __tablename__ = "stores"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    name: Mapped[str]

    stock: Mapped[list["Stock"]] = relationship(back_populates="store")


class Category(Base):
    """A kind of product, or a group of such kinds (which has no parent)."""

    __tablename__ = "categories"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("categories.id"))
    name: Mapped[str]

    parent: Mapped["Category | None"] = relationship(remote_side=[id])


class Product(Base):
    """Something that is kept: a part, or what is made of parts; parts have no category."""

    __tablename__ = "products"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    category_id: Mapped[int | None] = mapped_column(ForeignKey("categories.id"))
    number: Mapped[str]
    barcode: Mapped[str]
    name: Mapped[str]
    reorder_point: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    standard_cost: Mapped[Decimal] = mapped_column(server_default=text("0"))
    list_price: Mapped[Decimal] = mapped_column(server_default=text("0"))
    is_sold: Mapped[bool] = mapped_column(server_default=text("true"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    category: Mapped[Category | None] = relationship()
    stock: Mapped[list["Stock"]] = relationship(back_populates="product", order_by="Stock.store_id")


class Stock(Base):
    """How much of a product lies in a store, and where; one row for each pair."""

    __tablename__ = "stock"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    store_id: Mapped[int] = mapped_column(ForeignKey("stores.id"))
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    shelf: Mapped[str | None]
    bin: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    quantity: Mapped[int] = mapped_column(Integer)
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())

    store: Mapped[Store] = relationship(back_populates="stock")
    product: Mapped[Product] = relationship(back_populates="stock")


class Transaction(Base):
    """What happened to a product in a store: ``sale``, ``purchase``, ``work_order`` or ``adjustment``."""

    __tablename__ = "transactions"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    store_id: Mapped[int] = mapped_column(ForeignKey("stores.id"))
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    kind: Mapped[str]
    quantity: Mapped[int] = mapped_column(Integer)
    unit_cost: Mapped[Decimal | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    store: Mapped[Store] = relationship()
    product: Mapped[Product] = relationship()
