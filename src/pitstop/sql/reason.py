"""Why an attribute was loaded on demand: what the query's options and the instance itself say."""

from typing import Any

from pitstop.sql.lineage import Execution

__all__ = ["column_reason", "is_asked", "is_created"]


def column_reason(execution: Execution, selected: Any) -> str:
    """Why columns were loaded on demand.

    Args:
        selected: mapper of the class that the query selects there.

    Returns:
        ``"subclass"``, ``"expired"``, ``"left out"`` by the query, or ``"deferred"`` by the model.
    """
    mapper = execution.state.mapper
    names = [name for name in execution.names if name in mapper.column_attrs]
    if selected is not mapper and not any(name in selected.attrs for name in names):
        return "subclass"
    if execution.expired:
        return "expired"
    left_out = any(_has_strategy(execution.state, mapper.attrs[name], ("deferred", True)) for name in names)
    return "left out" if left_out else "deferred"


def is_asked(state: Any, relationship: Any) -> bool:
    """Whether the query's options ask for the lazy load (``lazyload()``, ``immediateload()``)."""
    return any(_has_strategy(state, relationship, ("lazy", how)) for how in ("select", "immediate"))


def _has_strategy(state: Any, attribute: Any, strategy: tuple[str, object]) -> bool:
    """Whether the query's options give this very attribute a strategy, which another would contradict."""
    return any(
        any(
            each is attribute for each in element.path.path[-2:]
        )  # a relationship's path ends with its target
        and strategy in (element.strategy or ())
        for option in state.load_options
        for element in getattr(option, "context", ())
    )


def is_created(state: Any) -> bool:
    """Whether no query has loaded an instance: it was made here."""
    return state is not None and state.runid is None
