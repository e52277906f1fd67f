"""The services that there are, each with what the tests of every service ask it."""

import pkgutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import httpx

import pitstop_services

ADMIN_TOKEN = "open sesame"


@dataclass(frozen=True)
class Service:
    """A service, by its name.

    ``asked.py`` beside its tests has what it is asked; a new one is tested as soon as it is there.
    """

    name: str

    def __str__(self) -> str:
        return self.name

    def module(self, name: str) -> Any:
        """One of its modules, e.g. ``"seed"``."""
        return import_module(f"pitstop_services.{self.name}.{name}")

    @property
    def asked(self) -> Any:
        """The module with what it is asked."""
        return import_module(f"tests.services.{self.name}.asked")

    @property
    def prefixes(self) -> dict[str, str]:
        """Where each form is."""
        return {form: prefix for form, (prefix, _) in self.module("api").ROUTERS.items()}

    @asynccontextmanager
    async def client(self, url: str, *, form: str = "all") -> AsyncIterator[httpx.AsyncClient]:
        """An administrator who asks a form of it, or all, on a database; ``PITSTOP_ADMIN_TOKEN`` is set."""
        app = self.module("api").create_app(form, database_url=url)
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://here", headers=headers) as client,
        ):
            yield client


SERVICES = [Service(each.name) for each in pkgutil.iter_modules(pitstop_services.__path__) if each.ispkg]
