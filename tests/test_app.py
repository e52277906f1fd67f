"""``Pitstop``: three lines in an application, everything wired, nothing in the way."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import Engine, create_engine, text

from pitstop import Pitstop, PitstopError
from pitstop.errors import SettingsError, StoreError
from pitstop.settings import Settings
from pitstop.store import read_store


@pytest.fixture
def engine() -> Engine:
    """An engine on a database in memory."""
    return create_engine("sqlite://")


def shop(engine: Engine) -> FastAPI:
    app = FastAPI()

    @app.get("/posts/{id}")
    async def post(id: int) -> int:
        with engine.connect() as connection:
            return connection.execute(text("SELECT 7")).scalar_one()

    return app


async def get(app: FastAPI, path: str) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://shop") as client:
        assert (await client.get(path)).status_code == 200


async def test_requests_and_their_statements_are_recorded(tmp_path: Path, engine: Engine) -> None:
    """One line wires middleware, observation and record."""
    app = shop(engine)
    with Pitstop(app, engine=engine, store=tmp_path) as pitstop:
        await get(app, "/posts/1")
        pitstop.flush()
        scope = read_store(tmp_path).scopes["request", "GET /posts/{id}"]
        await get(app, "/posts/2")
    assert (scope.count, scope.statements) == (1, 1)
    assert read_store(tmp_path).scopes["request", "GET /posts/{id}"].count == 2


async def test_only_the_given_engine_is_observed(tmp_path: Path, engine: Engine) -> None:
    """Statements of another engine are not counted."""
    app = shop(create_engine("sqlite://"))
    with Pitstop(app, engine=engine, store=tmp_path):
        await get(app, "/posts/1")
    assert read_store(tmp_path).scopes["request", "GET /posts/{id}"].statements == 0


async def test_after_close_the_application_runs_unobserved(tmp_path: Path, engine: Engine) -> None:
    """Closing twice is harmless; requests go on and are no longer recorded."""
    app = shop(engine)
    pitstop = Pitstop(app, engine=engine, store=tmp_path)
    await get(app, "/posts/1")
    pitstop.close()
    pitstop.close()
    await get(app, "/posts/1")
    assert repr(pitstop) == "<Pitstop closed>"
    assert read_store(tmp_path).scopes["request", "GET /posts/{id}"].count == 1


async def test_an_application_that_has_started_is_refused(tmp_path: Path, engine: Engine) -> None:
    """Too late is an error that says where the call belongs, not a silence."""
    app = shop(engine)
    await get(app, "/posts/1")
    with pytest.raises(SettingsError, match="comes too late"):
        Pitstop(app, engine=engine, store=tmp_path)


def test_another_kind_of_application_is_refused(tmp_path: Path) -> None:
    """A bare ASGI callable cannot take a middleware; the message says how to wrap it."""
    with pytest.raises(SettingsError, match=r"not str: wrap .*ObserveMiddleware\(app\)"):
        Pitstop("app", store=tmp_path)


def test_another_kind_of_engine_is_refused(tmp_path: Path) -> None:
    """An address instead of an engine is an error of ours."""
    with pytest.raises(PitstopError, match="take an Engine"):
        Pitstop(engine="postgresql://", store=tmp_path)


async def test_switched_off_it_does_nothing(tmp_path: Path, engine: Engine) -> None:
    """With enabled=False there is no middleware, no thread, no record."""
    app = shop(engine)
    with Pitstop(app, engine=engine, store=tmp_path, settings=Settings(enabled=False)) as pitstop:
        await get(app, "/posts/1")
    assert app.user_middleware == []
    assert repr(pitstop) == "<Pitstop off>"
    with pytest.raises(StoreError):
        read_store(tmp_path)


def test_it_can_be_made_without_an_application(tmp_path: Path) -> None:
    """Alone it records operations of a program, up to its end, without being closed."""
    program = (
        "from pitstop import Pitstop\nfrom pitstop.scope import open_scope\npitstop = Pitstop()\n"
        "with open_scope('import prices'):\n    pass\n"
    )
    environ = {**os.environ, "PITSTOP_STORE": str(tmp_path), "PITSTOP_ENABLED": "1"}
    subprocess.run([sys.executable, "-c", program], env=environ, check=True, timeout=60)
    assert read_store(tmp_path).scopes["operation", "import prices"].count == 1


async def test_the_cache_is_made_when_it_is_asked_for(redis_url: str, tmp_path: Path) -> None:
    """``Pitstop(redis=...).cache`` is one cache on that Redis, closed with it, and usable again."""
    pitstop = Pitstop(redis=redis_url, store=tmp_path)
    cache = pitstop.cache
    assert cache is pitstop.cache
    await cache.start()
    assert await cache.set("greeting", "hello")
    pitstop.close()
    assert cache.stats().up is False
    assert cache.stats().items == 0
    await cache.start()
    assert await cache.get("greeting") == "hello"
    await cache.close()


def test_the_settings_name_the_redis_and_switch_the_cache_off(tmp_path: Path) -> None:
    """Without an argument it is that of the settings; switched off, every function is called."""
    for settings, state in (
        (Settings(redis_url=SecretStr("redis://localhost:1/0")), "with Redis"),
        (Settings(redis_url=None), "in memory"),
        (Settings(cache_enabled=False), "off"),
    ):
        with Pitstop(store=tmp_path, settings=settings) as pitstop:
            assert state in repr(pitstop.cache)
