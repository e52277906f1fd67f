"""What a peer load brought for one instance, kept beside it until it is touched.

A value is not set on an instance before the code asks for it. So nothing of the instance changes by being
a peer, and what was written meanwhile can still be taken into account: a value that the session's
own writes may have changed is thrown away, and the ordinary load runs.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import InstanceState, Mapper, RelationshipProperty
from sqlalchemy.orm.attributes import instance_state, set_committed_value
from sqlalchemy.orm.base import LoaderCallableStatus, PassiveFlag

from pitstop.sql.peers import inside
from pitstop.sql.peers.batch import Batch

__all__ = ["is_free", "keep", "keep_columns", "keep_targets", "watch_expiry"]

State = InstanceState[Any]
Relationship = RelationshipProperty[Any]

_TOUCH = PassiveFlag.PASSIVE_OFF


class _Kept:
    """A value in the place of the attribute's loader.

    Attributes:
        batch: the load that brought it.
        key: the attribute.
        plain: the loader whose place it has.
        of_instance: whether that is a loader of this one instance, as a query's options give it.
    """

    __slots__ = ("batch", "key", "of_instance", "plain", "value")

    def __init__(
        self, batch: Batch, key: str, value: Any, plain: inside.Loader, *, of_instance: bool = False
    ) -> None:
        self.batch = batch
        self.key = key
        self.value = value
        self.plain = plain
        self.of_instance = of_instance

    def __call__(self, state: State, passive: Any) -> Any:
        """Load the attribute: give what is kept, if it still holds."""
        if passive != _TOUCH:  # history, backrefs: not for the value itself
            return self.plain(state, passive)
        self.leave(state)
        self.batch.used += 1
        return self._give(state) if self._holds(state) else self.plain(state, passive)

    def leave(self, state: State) -> None:
        """Give the place back to the loader that had it."""
        if self.of_instance:
            state.callables[self.key] = self.plain
        else:
            state.callables.pop(self.key, None)

    def _holds(self, state: State) -> bool:
        return self.batch.holds(state)

    def _give(self, state: State) -> Any:
        return self.value

    def __reduce__(self) -> Any:
        return inside.reduction(self.plain, self.key)


class _KeptRelated(_Kept):
    """The instances that a relationship leads to."""

    __slots__ = ()

    def _holds(self, state: State) -> bool:
        if not self.batch.holds(state):
            return False
        owner = self.batch.session_id
        for each in self.value if isinstance(self.value, list) else (self.value,):
            if each is not None and instance_state(each).session_id != owner:
                return False
        return True


class _KeptTarget(_Kept):
    """The target of a many-to-one, one for all that refer to it. While it is alive, the ordinary load would
    find it in the session by its key.
    """

    __slots__ = ("_seen",)

    def __init__(self, batch: Batch, key: str, target: Any, plain: inside.Loader) -> None:
        super().__init__(batch, key, target, plain)
        self._seen = False

    def __call__(self, state: State, passive: Any) -> Any:
        """Load the attribute, in as few calls as can be: such touches are the most."""
        if passive != _TOUCH:
            return self.plain(state, passive)
        batch, target = self.batch, self.value
        state.callables.pop(self.key, None)
        batch.used += 1
        # the first touch of a target would have needed a statement, which flushes
        first, self._seen = not self._seen, True
        if batch.holds(state, flush=first):
            found = instance_state(target)
            if not found.expired and found.session_id == batch.session_id:
                return target
        return self.plain(state, passive)


class _KeptColumn(_Kept):
    """A column, with those that are loaded along with it."""

    __slots__ = ()

    def _give(self, state: State) -> Any:
        instance = state.obj()
        for name, value in self.value.items():
            if name not in state.dict and name not in state.committed_state:
                set_committed_value(instance, name, value)
        return LoaderCallableStatus.ATTR_WAS_SET


def keep(batch: Batch, prop: Relationship, states: list[State], values: list[Any]) -> None:
    """Keep what a relationship leads to, for each of the instances."""
    key, plain = prop.key, _plain_loaders(prop, states)
    kept = [
        _KeptRelated(batch, key, value, plain[id(state.manager)])
        for state, value in zip(states, values, strict=True)
    ]
    inside.set_loaders(states, key, kept)
    batch.kept += len(states)


def keep_targets(batch: Batch, prop: Relationship, targets: Iterable[tuple[Any, list[State]]]) -> None:
    """Keep the targets of a many-to-one, each for those who refer to it."""
    key = prop.key
    for target, states in targets:
        plain = _plain_loaders(prop, states)
        kept = {manager: _KeptTarget(batch, key, target, loader) for manager, loader in plain.items()}
        inside.set_loaders(states, key, [kept[id(state.manager)] for state in states])
        batch.kept += len(states)


def _plain_loaders(prop: Relationship, states: list[State]) -> dict[int, inside.Loader]:
    """The ordinary loader of each class of the instances, by the identity of its manager: to hash one is
    a call of Python.
    """
    managers = {id(state.manager): state for state in states}
    return {manager: inside.plain_loader(state, prop.key) for manager, state in managers.items()}


def keep_columns(batch: Batch, state: State, values: dict[str, Any]) -> None:
    """Keep column values that are loaded together."""
    for key in values:
        before = state.callables.get(key)
        if isinstance(before, _Kept):
            plain, of_instance = before.plain, before.of_instance
        else:
            plain, of_instance = before or inside.plain_loader(state, key), before is not None
        kept = _KeptColumn(batch, key, values, plain, of_instance=of_instance)
        inside.set_loaders([state], key, [kept])
    batch.kept += 1


def is_free(state: State, key: str) -> bool:
    """Whether an attribute is loaded in the way of its class, nothing being kept for it."""
    loader = state.callables.get(key)
    return loader is None or (isinstance(loader, _Kept) and not loader.batch.fresh and not loader.of_instance)


def watch_expiry() -> None:
    """Throw kept values away when their instance is expired; harmless when that is done already."""
    if not event.contains(Mapper, "expire", _expired):
        event.listen(Mapper, "expire", _expired, raw=True)


def _expired(state: State, keys: Any) -> None:
    if state.callables:
        for key in keys or list(state.callables):
            kept = state.callables.get(key)
            if isinstance(kept, _Kept):
                kept.leave(state)
