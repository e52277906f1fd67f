"""One peer load: when and for which result it was done, and whether what it brought still holds."""

from typing import Any
from weakref import ref

from sqlalchemy.orm import InstanceState, Session

from pitstop.sql.peers import inside
from pitstop.sql.peers.writes import Watch, Writes

__all__ = ["Batch"]

State = InstanceState[Any]


class Batch:
    """What the values of one peer load have in common.

    Attributes:
        kept: how many values were kept for peers.
        used: how many of them have been touched since.
        fresh: whether they may still be used.
        session_id: of the session, as its instances carry it.
    """

    __slots__ = (
        "_era",
        "_moment",
        "_runs",
        "_session",
        "_watch",
        "_writes",
        "fresh",
        "kept",
        "session_id",
        "used",
    )

    def __init__(
        self, session: Session, state: State, runs: frozenset[int | None], writes: Writes, watch: Watch
    ) -> None:
        self._session = ref(session)
        self.session_id = state.session_id
        self._runs = runs
        self._writes = writes
        self._watch = watch
        self._era = writes.era
        self._moment = writes.moment
        self.fresh = True
        self.kept = 0
        self.used = 0

    def is_wasted(self) -> bool:
        """Whether most of what was kept has not been used."""
        return self.used * 2 < self.kept

    def holds(self, state: State, *, flush: bool = True) -> bool:
        """Whether the ordinary load of an instance would bring what this one brought.

        Args:
            flush: flush first, as the ordinary load would.
        """
        session = self._session()
        if (
            not self.fresh
            or session is None
            or state.session_id != self.session_id
            or state.runid not in self._runs
            or state.expired
            or inside.is_flushing(session)
        ):
            return False
        if flush:
            inside.autoflush(session)
        writes = self._writes
        if writes.moment != self._moment or writes.era != self._era:
            self.fresh = not writes.touched(self._watch, era=self._era, moment=self._moment)
        return self.fresh and not state.modified
