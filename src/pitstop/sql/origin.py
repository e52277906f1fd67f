"""What one ORM execution is, and the mark that lets every loaded object name the query it came from."""

from typing import Any

from sqlalchemy.orm import UserDefinedOption

from pitstop.sql.location import Site

__all__ = ["Execution", "Origin", "origin_of"]


class Origin(UserDefinedOption):
    """The mark put on each top-level SELECT; SQLAlchemy hands it on to every row of the result, and to
    what is loaded from those rows later. One object per execution: identity is the result set.

    It takes part in the cache key (with a constant), because SQLAlchemy drops an option from the rows of
    a statement that was first compiled without it.
    """

    propagate_to_loaders = True
    _is_has_cache_key = True  # without this, statements compiled before observation began lose the mark

    __slots__ = ("entity", "site")

    def __init__(self, site: Site, entity: Any = None) -> None:
        super().__init__()
        self.site = site
        self.entity = entity  # the mapper that is selected, or None

    def __reduce__(self) -> tuple[type, tuple[()]]:
        """Pickle as SQLAlchemy's own class: a cached object must load where Pitstop is not installed."""
        return UserDefinedOption, ()

    def _gen_cache_key(self, anon_map: Any, bindparams: Any) -> tuple[type]:  # called by SQLAlchemy
        return (Origin,)


def origin_of(state: Any) -> Origin | None:
    """The query that an instance state was loaded by, or None when that was not observed."""
    for option in state.load_options:
        if type(option) is Origin:
            return option
    return None


class Execution:
    """One ORM SELECT on its way to the cursor; travels with it as an execution option.

    Attributes:
        kind: ``"query"`` by the user; ``"lazy"`` relationship; ``"column"`` deferred or expired;
            ``"eager"`` emitted by a loader option.
        site: where it was caused (an eager load carries the site of its query).
        origin: the mark of the query itself, or of the query whose rows it completes.
        path: mappers and properties from the root entity to what is loaded.
        state: the instance that it is loaded for.
        names: the column attributes that are loaded (``"column"`` only).
        expired: whether those had been loaded before and expired since.
        user_refresh: whether ``Session.refresh`` asked.
        cause: the load that brought an ``"eager"`` one along, or None.
    """

    __slots__ = (
        "cause",
        "entity",
        "expired",
        "kind",
        "names",
        "origin",
        "path",
        "site",
        "state",
        "user_refresh",
    )

    def __init__(
        self,
        kind: str,
        site: Site,
        *,
        origin: Origin | None = None,
        path: tuple[Any, ...] = (),
        state: Any = None,
        names: frozenset[str] = frozenset(),
        expired: bool = False,
        user_refresh: bool = False,
        cause: "Execution | None" = None,
    ) -> None:
        self.kind = kind
        self.site = site
        self.origin = origin
        self.path = path
        self.state = state
        self.names = names
        self.expired = expired
        self.user_refresh = user_refresh
        self.cause = cause
