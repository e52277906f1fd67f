"""The application that ``observation.py`` serves: one endpoint, one ORM statement, 20 rows.

``VARIANT`` says what watches it: nothing, Pitstop, or a peer.
"""

import os
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, FastAPI
from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "benchmark_items"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    price: Mapped[int]
    stock: Mapped[int]


class ItemOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: int
    name: str
    price: int
    stock: int


engine = create_async_engine(os.environ["DATABASE_URL"], pool_size=10)
sessions = async_sessionmaker(engine, expire_on_commit=False)
app = FastAPI()


async def session() -> AsyncIterator[AsyncSession]:
    async with sessions() as opened:
        yield opened


@app.get("/items")
async def items(db: Annotated[AsyncSession, Depends(session)], after: int = 0) -> list[ItemOut]:
    rows = await db.scalars(select(Item).where(Item.id > after).order_by(Item.id).limit(20))
    return [ItemOut.model_validate(row) for row in rows]


def watch(variant: str) -> None:
    if variant == "pitstop":
        from pitstop import Pitstop

        Pitstop(app, engine=engine)
    elif variant == "opentelemetry":
        from opentelemetry import trace
        from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
        from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

        class Drop(SpanExporter):
            def export(self, spans: object) -> SpanExportResult:
                return SpanExportResult.SUCCESS

        provider = TracerProvider()
        provider.add_span_processor(BatchSpanProcessor(Drop()))
        trace.set_tracer_provider(provider)
        FastAPIInstrumentor.instrument_app(app)
        SQLAlchemyInstrumentor().instrument(
            engine=engine.sync_engine, skip_dep_check=True
        )  # it says below 2.1, and works with 2.1
    elif variant == "queryspy":
        from queryspy.asgi import QuerySpyMiddleware

        app.add_middleware(QuerySpyMiddleware)


watch(os.environ.get("VARIANT", "bare"))
