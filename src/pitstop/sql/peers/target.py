"""The sessions that ``peer_loading`` is switched on for, as a target that SQLAlchemy's events take."""

from typing import Any, TypeAlias
from weakref import WeakSet

from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session, async_sessionmaker
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from pitstop.errors import SettingsError

__all__ = ["PeerTarget", "session_target"]

PeerTarget: TypeAlias = (
    Session
    | AsyncSession
    | sessionmaker[Any]
    | async_sessionmaker[Any]
    | scoped_session[Any]
    | async_scoped_session[Any]
    | type[Session]
    | type[AsyncSession]
)

_own: WeakSet[type[Session]] = WeakSet()


def session_target(target: object) -> Session | type[Session]:
    """The session, or the class of sessions, behind a target.

    Raises:
        SettingsError: it is nothing of that kind.
    """
    if isinstance(target, (scoped_session, async_scoped_session)):
        target = target.session_factory
    if isinstance(target, AsyncSession):
        return target.sync_session
    if isinstance(target, async_sessionmaker):
        return _class_of_async_maker(target)
    if isinstance(target, sessionmaker):
        target = target.class_
    if isinstance(target, type) and issubclass(target, AsyncSession):
        target.sync_session_class = _own_class(target.sync_session_class)
        target = target.sync_session_class
    if isinstance(target, Session) or (isinstance(target, type) and issubclass(target, Session)):
        return target
    raise SettingsError(
        "peer_loading() takes a Session, AsyncSession, sessionmaker, async_sessionmaker, scoped session "
        f"or a class of sessions, not {target!r}"
    )


def _class_of_async_maker(maker: async_sessionmaker[Any]) -> Session | type[Session]:
    given = maker.kw.get("sync_session_class")
    if given is None:
        return session_target(maker.class_)
    if isinstance(given, type):
        given = _own_class(given)
        maker.configure(sync_session_class=given)
    return session_target(given)


def _own_class(base: type[Session]) -> type[Session]:
    """A class of sessions that only one maker uses: to listen on ``Session`` would reach all others."""
    if base in _own:
        return base
    own = type(base.__name__, (base,), {"__module__": base.__module__, "__doc__": base.__doc__})
    _own.add(own)
    return own
