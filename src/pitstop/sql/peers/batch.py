"""One peer load: what it brought for each instance, kept beside it until it is touched.

A value is not set on an instance before the code asks for it. So nothing of the instance changes by being
a peer, and what was written meanwhile can still be taken into account: a value that the session's
own writes may have changed is thrown away, and the ordinary lazy load runs.
"""

from typing import Any
from weakref import ref

from sqlalchemy import event
from sqlalchemy.orm import InstanceState, Mapper, RelationshipProperty, Session
from sqlalchemy.orm.attributes import instance_state
from sqlalchemy.orm.base import PassiveFlag

from pitstop.sql.peers import inside
from pitstop.sql.peers.writes import Watch, Writes

__all__ = ["Batch", "Kept", "is_free", "watch_expiry"]

State = InstanceState[Any]


class Batch:
    """What the values of one peer load have in common.

    Attributes:
        kept: how many values were kept for peers.
        used: how many of them have been touched since.
        fresh: whether they may still be used.
    """

    __slots__ = (
        "_era",
        "_moment",
        "_run",
        "_session",
        "_unseen",
        "_watch",
        "_writes",
        "fresh",
        "kept",
        "prop",
        "used",
    )

    def __init__(
        self, session: Session, prop: "RelationshipProperty[Any]", run: int, writes: Writes, watch: Watch
    ) -> None:
        self.prop = prop
        self._session = ref(session)
        self._run = run
        self._writes = writes
        self._watch = watch
        self._era = writes.era
        self._moment = writes.moment
        self._unseen: set[int] = set()
        self.fresh = True
        self.kept = 0
        self.used = 0

    def keep(self, state: State, value: Any, *, by_key: bool) -> None:
        """Keep the value for an instance that has not been touched.

        Args:
            by_key: the ordinary lazy load will find it in the session by its key, so that it need only
                be kept alive.
        """
        key = self.prop.key
        kind = KeptTarget if by_key else Kept
        inside.set_loader(state, key, kind(self, value, inside.plain_loader(state, key)))
        self._unseen.add(id(value))
        self.kept += 1

    def is_wasted(self) -> bool:
        """Whether most of what was kept has not been used."""
        return self.used * 2 < self.kept

    def first_sight(self, value: Any) -> bool:
        """Whether a target is asked for the first time."""
        seen = id(value) not in self._unseen
        self._unseen.discard(id(value))
        return not seen

    def holds_for(self, state: State) -> Session | None:
        """The session, if an instance is still as this load found it."""
        session = self._session()
        same = session is not None and state.session is session and state.runid == self._run
        return session if same and not state.expired else None

    def is_current(self, state: State, value: Any) -> bool:
        """Whether the ordinary lazy load would bring the same; flushes first as that does."""
        session = self.holds_for(state)
        if not self.fresh or session is None or inside.is_flushing(session):
            return False
        inside.autoflush(session)
        if self._writes.touched(self._watch, era=self._era, moment=self._moment):
            self.fresh = False
        owner = state.session_id
        values = value if self.prop.uselist else () if value is None else (value,)
        return (
            self.fresh
            and not state.modified
            and all(instance_state(each).session_id == owner for each in values)
        )


class Kept:
    """The value of one instance, in the place of its lazy loader."""

    __slots__ = ("_plain", "_value", "batch")

    def __init__(self, batch: Batch, value: Any, plain: inside.Loader) -> None:
        self.batch = batch
        self._value = value
        self._plain = plain

    def __call__(self, state: State, passive: Any) -> Any:
        """Give the value for a touch."""
        if passive != PassiveFlag.PASSIVE_OFF:  # history, backrefs: not for the value itself
            return self._plain(state, passive)
        state.callables.pop(self.batch.prop.key, None)
        self.batch.used += 1
        return self._value if self._is_current(state) else self._plain(state, passive)

    def _is_current(self, state: State) -> bool:
        return self.batch.is_current(state, self._value)

    def __reduce__(self) -> Any:
        return inside.plain_reduction(self.batch.prop.key, self.batch.prop)


class KeptTarget(Kept):
    """The target of a many-to-one, kept alive so that the ordinary lazy load finds it in the session."""

    __slots__ = ()

    def _is_current(self, state: State) -> bool:
        session = self.batch.holds_for(state)
        if session is not None and self.batch.first_sight(self._value):
            inside.autoflush(session)  # as the statement would have done that is no longer needed
        return False


def is_free(state: State, key: str) -> bool:
    """Whether an attribute is loaded in the ordinary way, no value being kept for it."""
    loader = state.callables.get(key)
    return loader is None or (isinstance(loader, Kept) and not loader.batch.fresh)


def watch_expiry() -> None:
    """Throw kept values away when their instance is expired; harmless when that is done already."""
    if not event.contains(Mapper, "expire", _expired):
        event.listen(Mapper, "expire", _expired, raw=True)


def _expired(state: State, keys: Any) -> None:
    if state.callables:
        for key in keys or list(state.callables):
            if isinstance(state.callables.get(key), Kept):
                del state.callables[key]
