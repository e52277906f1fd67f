"""Statements that are run for what they do, not for what they read."""

from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from pitstop import count_queries


@pytest.mark.parametrize(
    "act",
    [
        lambda number: func.pg_advisory_xact_lock(number),
        lambda number: func.pg_try_advisory_xact_lock(number),
        lambda number: func.pg_notify("news", str(number)),
        lambda number: func.set_config("app.tenant", str(number), True),
    ],
    ids=["lock", "attempt to lock", "notification", "setting"],
)
def test_what_acts_is_no_repeat(postgresql: Engine, act: Any) -> None:
    """A lock, a notification or a setting with another value each time round is no N+1."""
    with count_queries(postgresql) as queries, postgresql.begin() as connection:
        for number in range(5):
            connection.execute(select(act(number)))
    assert queries.count == 5
    assert queries.n_plus_one == []
