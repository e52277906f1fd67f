"""Applications, scripts and servers for the tests of ``pitstop run``: real processes on free ports."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from pitstop.errors import StoreError
from pitstop.store import Observations, read_store

BIN = Path(sys.executable).parent

SHOP = """
import os
from fastapi import APIRouter, FastAPI
from sqlalchemy import ForeignKey, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

HERE = os.path.dirname(os.path.abspath(__file__))
engine = create_engine(f"sqlite:///{HERE}/shop.db")

class Base(DeclarativeBase):
    pass

class Author(Base):
    __tablename__ = "author"
    id: Mapped[int] = mapped_column(primary_key=True)

class Post(Base):
    __tablename__ = "post"
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("author.id"))
    author: Mapped[Author] = relationship()

def seed():
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all(Post(author=Author()) for _ in range(10))
        session.commit()

def authors():
    with Session(engine) as session:
        return [post.author.id for post in session.scalars(select(Post))]

app, router = FastAPI(), APIRouter(prefix="/api")
router.get("/authors")(authors)
router.get("/pid/{any}")(lambda any: os.getpid())
app.include_router(router)
"""

RAW = """
import os
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"%d" % os.getpid()})
"""


@dataclass
class Place:
    """A directory with applications in it, and what `pitstop run` sees there."""

    path: Path
    errors: str = ""
    exit_code: int | None = None

    def run(self, *command: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a command under `pitstop run` to its end."""
        return subprocess.run(
            self._observed(command),
            cwd=self.path,
            env={**os.environ, **environ},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @contextmanager
    def serve(self, *command: str, port: int, stop: int = signal.SIGTERM) -> Iterator[httpx.Client]:
        """Run a server under `pitstop run` until the block ends."""
        process = subprocess.Popen(
            self._observed(command), cwd=self.path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
                _wait_for(port, process)
                yield client
        finally:
            process.send_signal(stop)
            try:
                self.errors = process.communicate(timeout=60)[1].decode()
            finally:
                process.kill()
            self.exit_code = process.returncode

    def seen(self) -> Observations:
        """What was observed so far; nothing at all when there is no record."""
        try:
            return read_store(self.path / ".pitstop")
        except StoreError:
            return Observations()

    def counts(self) -> dict[str, int]:
        """How often each scope was seen."""
        return {each.name: each.count for each in self.seen().scopes.values()}

    @staticmethod
    def _observed(command: Sequence[str]) -> list[str]:
        return [str(BIN / "pitstop"), "run", "--", *command]


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 40
    while True:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert process.poll() is None, process.communicate()[1].decode()
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A directory with a FastAPI application (`shop`) and a raw ASGI application (`raw`)."""
    for name in [name for name in os.environ if name.startswith("PITSTOP_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "raw.py").write_text(RAW)
    return Place(tmp_path)


@pytest.fixture
def port() -> int:
    """A free port."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])
