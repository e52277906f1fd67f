"""Who listens on the statements of a session: those who may have a say in its rows, and those who do not."""

from sqlalchemy.orm import Session

__all__ = ["Listening", "others_listen"]


class Listening:
    """Base of what listens on ``do_orm_execute`` and leaves every statement's rows as they are."""


def others_listen(session: Session) -> bool:
    """Whether somebody else listens, who may add criteria: rows of one tenant, or none that are deleted."""
    listeners = session.dispatch.do_orm_execute
    return not all(isinstance(getattr(each, "__self__", None), Listening) for each in listeners)
