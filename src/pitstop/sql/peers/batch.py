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
Relationship = RelationshipProperty[Any]

_TOUCH = PassiveFlag.PASSIVE_OFF


class Batch:
    """What the values of one peer load have in common.

    Attributes:
        prop: the relationship.
        kept: how many values were kept for peers.
        used: how many of them have been touched since.
        fresh: whether they may still be used.
    """

    __slots__ = (
        "_era",
        "_moment",
        "_plain",
        "_run",
        "_session",
        "_session_id",
        "_unseen",
        "_watch",
        "_writes",
        "fresh",
        "kept",
        "prop",
        "used",
    )

    def __init__(
        self, session: Session, prop: Relationship, state: State, writes: Writes, watch: Watch
    ) -> None:
        self.prop = prop
        self._session = ref(session)
        self._session_id = state.session_id
        self._run = state.runid
        self._writes = writes
        self._watch = watch
        self._era = writes.era
        self._moment = writes.moment
        self._plain: dict[Any, inside.Loader] = {}  # by class of the instance
        self._unseen: set[int] = set()
        self.fresh = True
        self.kept = 0
        self.used = 0

    def keep(self, states: list[State], values: list[Any]) -> None:
        """Keep a value for each of the instances, none of which has been touched."""
        for state, value in zip(states, values, strict=True):
            self._keep(state, Kept(self, value))

    def keep_target(self, states: list[State], target: Any) -> None:
        """Keep the target of a many-to-one for each of those who refer to it."""
        for state in states:
            self._keep(state, KeptTarget(self, target))
        self._unseen.add(id(target))

    def _keep(self, state: State, kept: "Kept") -> None:
        manager = state.manager
        if manager not in self._plain:
            self._plain[manager] = inside.plain_loader(state, self.prop.key)
        inside.set_loader(state, self.prop.key, kept)
        self.kept += 1

    def plain(self, state: State, passive: Any) -> Any:
        """Load in the ordinary way."""
        loader = self._plain.get(state.manager) or inside.plain_loader(state, self.prop.key)
        return loader(state, passive)

    def is_wasted(self) -> bool:
        """Whether most of what was kept has not been used."""
        return self.used * 2 < self.kept

    def is_current(self, state: State, value: Any) -> bool:
        """Whether the ordinary lazy load would bring the same; flushes first as that does."""
        session = self._session()
        if not self.fresh or session is None or not self._is_same(state) or inside.is_flushing(session):
            return False
        inside.autoflush(session)
        writes = self._writes
        if writes.moment != self._moment or writes.era != self._era:
            self.fresh = not writes.touched(self._watch, era=self._era, moment=self._moment)
        if not self.fresh or state.modified:
            return False
        if self.prop.uselist:
            return all(instance_state(each).session_id == self._session_id for each in value)
        return value is None or bool(instance_state(value).session_id == self._session_id)

    def is_current_target(self, state: State, target: Any) -> bool:
        """Whether the ordinary lazy load would find this target in the session, without a look there."""
        session = self._session()
        if session is None or not self._is_same(state) or inside.is_flushing(session):
            return False
        if id(target) in self._unseen:
            self._unseen.discard(id(target))
            inside.autoflush(session)  # as the statement would have done that is no longer needed
        writes, found = self._writes, instance_state(target)
        return (
            writes.moment == self._moment
            and writes.era == self._era
            and not state.modified
            and not found.expired
            and bool(found.session_id == self._session_id)
        )

    def _is_same(self, state: State) -> bool:
        """Whether an instance is still as this load found it."""
        return state.session_id == self._session_id and state.runid == self._run and not state.expired


class Kept:
    """The value of one instance, in the place of its lazy loader."""

    __slots__ = ("batch", "value")

    def __init__(self, batch: Batch, value: Any) -> None:
        self.batch = batch
        self.value = value

    def __call__(self, state: State, passive: Any) -> Any:
        """Give the value for a touch."""
        batch = self.batch
        if passive != _TOUCH:  # history, backrefs: not for the value itself
            return batch.plain(state, passive)
        state.callables.pop(batch.prop.key, None)
        batch.used += 1
        return self.value if batch.is_current(state, self.value) else batch.plain(state, passive)

    def __reduce__(self) -> Any:
        return inside.plain_reduction(self.batch.prop.key, self.batch.prop)


class KeptTarget(Kept):
    """The target of a many-to-one; kept alive, the ordinary lazy load finds it in the session by its key."""

    __slots__ = ()

    def __call__(self, state: State, passive: Any) -> Any:
        """Give the target for a touch."""
        batch = self.batch
        if passive != _TOUCH:
            return batch.plain(state, passive)
        state.callables.pop(batch.prop.key, None)
        batch.used += 1
        return self.value if batch.is_current_target(state, self.value) else batch.plain(state, passive)


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
