"""Who listens on a session's statements."""

from typing import Any

from sqlalchemy import create_engine, event
from sqlalchemy.orm import Session

from pitstop import peer_loading
from pitstop.sql.peers.listening import others_listen


def test_peer_loading_is_nobody_else() -> None:
    """Peer loading leaves every statement's rows as they are; any other listener may not."""
    engine = create_engine("sqlite://")
    with Session(engine) as session, peer_loading(session):
        assert not others_listen(session)

        def criteria(execution: Any) -> None:
            return None

        event.listen(session, "do_orm_execute", criteria)
        assert others_listen(session)
    engine.dispose()
