"""Through a pooler: refused in transaction mode before anything is begun, taken in session mode."""

from typing import Any

import psycopg
import pytest

from pitstop.errors import ApplyFailed
from tests.advisor.apply.conftest import Applier, is_valid

SQL = "CREATE INDEX ix_note ON orders (note)"


async def test_transaction_mode(database: "psycopg.Connection[Any]", pooled_url: str) -> None:
    """The message says what stands there and what to give; no setting is left in a shared session."""
    applier = Applier(pooled_url)
    with pytest.raises(ApplyFailed, match=r"127.0.0.1:\d+ is a connection pooler in transaction mode"):
        await applier(SQL)
    assert applier.news == []
    assert is_valid(database, "ix_note") is None
    with psycopg.connect(pooled_url, autocommit=True) as shared:
        assert shared.execute("SHOW client_connection_check_interval").fetchone() == ("0",)


@pytest.mark.parametrize("pooled_url", ["session"], indirect=True)
async def test_session_mode(database: "psycopg.Connection[Any]", pooled_url: str) -> None:
    """A session of one's own is enough, whoever hands it on."""
    await Applier(pooled_url)(SQL)
    assert is_valid(database, "ix_note")
