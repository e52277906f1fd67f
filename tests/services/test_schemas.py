"""The schema of every service is what its models say, and leaves nothing behind."""

import pytest

from tests.services.database import differences, tables
from tests.services.service import SERVICES, Service


@pytest.mark.parametrize("revision", ["0001", "head"])
@pytest.mark.parametrize("service", SERVICES, ids=str)
def test_the_models_are_the_schema(empty_url: str, service: Service, revision: str) -> None:
    """Alembic's autogenerate finds no table or column that differs between models and migrations."""
    service.module("migrations").migrate(empty_url, revision)
    assert differences(empty_url, service.module("models").Base.metadata) == []


@pytest.mark.parametrize("service", SERVICES, ids=str)
def test_base_drops_everything(empty_url: str, service: Service) -> None:
    """Going down to base leaves no table of the service."""
    migrate = service.module("migrations").migrate
    migrate(empty_url, "head")
    migrate(empty_url, "base")
    assert not tables(empty_url) & set(service.module("models").Base.metadata.tables)
