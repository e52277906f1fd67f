"""Every form of every service answers alike, alone or beside the others."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from pitstop import count_queries
from pitstop.errors import SettingsError
from tests.services.conftest import Clone
from tests.services.service import ADMIN_TOKEN, SERVICES, Service

PATHS = [
    pytest.param(service, path, id=f"{service}: {name}")
    for service in SERVICES
    for name, path in service.asked.PATHS.items()
]
REFUSED = [(service, path) for service in SERVICES for path in service.asked.REFUSED]
FORMS = [(service, form) for service in SERVICES for form in service.prefixes]


@pytest.fixture
async def client(
    service: Service, clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    monkeypatch.setenv("PITSTOP_ADMIN_TOKEN", ADMIN_TOKEN)
    async with service.client(clone(service)) as client:
        yield client


async def answers(client: httpx.AsyncClient, service: Service, path: str) -> dict[str, tuple[int, Any]]:
    """What each form says to a path."""
    replies = {form: await client.get(prefix + path) for form, prefix in service.prefixes.items()}
    return {form: service.asked.told(reply) for form, reply in replies.items()}


@pytest.mark.parametrize(("service", "path"), PATHS)
async def test_forms_agree(client: httpx.AsyncClient, service: Service, path: str) -> None:
    """All forms give the same status and the same JSON, also where something is odd or missing."""
    found = await answers(client, service, path)
    assert all(each == found["naive"] for each in found.values())


@pytest.mark.parametrize(("service", "path"), REFUSED, ids=str)
async def test_forms_refuse_alike(client: httpx.AsyncClient, service: Service, path: str) -> None:
    """A parameter that cannot be is 422 in every form and reaches no database."""
    with count_queries() as queries:
        found = await answers(client, service, path)
    assert {status for status, _ in found.values()} == {422}
    assert queries.count == 0


@pytest.mark.parametrize(("service", "form"), FORMS, ids=str)
async def test_a_form_alone_is_at_the_root(service: Service, form: str) -> None:
    """`create_app(form)` serves that form without a prefix, and no other."""
    app = service.module("api").create_app(form, database_url="postgresql://nowhere/none")
    paths = set(app.openapi()["paths"])
    assert {httpx.URL(path).path for path in service.asked.PATHS.values()} & paths
    assert not any(
        path.startswith(f"{each}/") for path in paths for each in service.prefixes.values() if each
    )


@pytest.mark.parametrize("service", SERVICES, ids=str)
def test_a_form_or_database_that_is_not_there_is_named(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong form and a missing address are errors that say what to write instead."""
    monkeypatch.delenv("PITSTOP_DATABASE_URL", raising=False)
    create_app = service.module("api").create_app
    forms = ", ".join(service.prefixes)
    with pytest.raises(SettingsError, match=f"no form 'quick' of the {service}: use {forms} or all"):
        create_app("quick")
    with pytest.raises(
        SettingsError, match=f"no database to serve the {service} from: .* PITSTOP_DATABASE_URL"
    ):
        create_app("tuned")
