"""The slow statement log: one line for a statement that took longer than a limit, without its values."""

import logging
import math
from collections.abc import Callable, Mapping, Sequence, Sized
from time import monotonic

from pitstop.postgres import abbreviate, redact
from pitstop.scope import current_scope
from pitstop.sql.records import Seen

__all__ = ["limit_ms", "log_slow", "note"]

log = logging.getLogger("pitstop.slow")

_EVERY_S = 10.0
_MAX_FINGERPRINTS = 1_000
_SQL_CHARS = 500
_READ_CHARS = 10_000  # a list of thousands of values must not hold up the event loop
_MOST_PARAMETERS = 12

limit_ms = math.inf  # asked for each statement before anything else is done
_limits: tuple[float, ...] = ()
_logged: dict[str, "_Logged"] = {}


class _Logged:
    """When a statement was last logged, and how many like it were not since.

    There is no lock: a fork may happen anywhere, and at worst one line more or less is written.
    """

    __slots__ = ("at", "kept_back")

    def __init__(self, at: float) -> None:
        self.at = at
        self.kept_back = 0


def log_slow(limit: float) -> Callable[[], None]:
    """Log statements of ``limit`` milliseconds or more from now on, by the logger ``pitstop.slow``.

    Of several limits the lowest holds.

    Returns:
        a function that ends it; calling it twice is harmless.
    """
    _set((*_limits, limit))
    begun = [limit]

    def end() -> None:
        if begun:
            left = list(_limits)
            left.remove(begun.pop())
            _set(tuple(left))

    return end


def _set(limits: tuple[float, ...]) -> None:
    global limit_ms, _limits
    _limits = limits
    limit_ms = min(limits, default=math.inf)
    if not limits:
        _logged.clear()


def note(seen: Seen) -> None:
    """Log a statement that took ``limit_ms`` or more, at most once in ten seconds for each fingerprint.

    Of its parameters only the types and lengths are told.
    """
    if not log.isEnabledFor(logging.WARNING):
        return
    kept_back = _admit(seen.fingerprint.digest)
    if kept_back is None:
        return
    facts = _facts(seen, kept_back)
    log.warning("%s", _line(facts), extra=facts)


def _admit(fingerprint: str) -> int | None:
    """How many like it were kept back since the last line; None: this one is kept back too."""
    now = monotonic()
    logged = _logged.get(fingerprint)
    if logged is None:
        if len(_logged) >= _MAX_FINGERPRINTS:
            _logged.clear()
        _logged[fingerprint] = _Logged(now)
        return 0
    if now - logged.at < _EVERY_S:
        logged.kept_back += 1
        return None
    kept_back, logged.kept_back, logged.at = logged.kept_back, 0, now
    return kept_back


def _facts(seen: Seen, kept_back: int) -> dict[str, object]:
    scope = current_scope()
    place = seen.site.location
    return {
        "ms": round(seen.ms, 1),
        "rows": seen.rows,
        "operation": _printable(scope.current_name()) if scope is not None else None,
        "location": place.short() if place is not None else None,
        "sql": abbreviate(redact(seen.text[:_READ_CHARS]), max_chars=_SQL_CHARS),
        "parameters": _shapes(seen.parameters),
        "fingerprint": seen.fingerprint.digest,
        "failed": seen.failed,
        "kept_back": kept_back,
    }


def _line(facts: Mapping[str, object]) -> str:
    where = [str(facts[name]) for name in ("operation", "location") if facts[name] is not None]
    parts = [
        f"slow statement: {facts['ms']} ms" + (", failed" if facts["failed"] else ""),
        *([f"{facts['rows']} rows"] if facts["rows"] != -1 else []),
        *where,
        f"fingerprint {facts['fingerprint']}",
    ]
    more = f"; {facts['kept_back']} more like it were not logged" if facts["kept_back"] else ""
    values = f" [{facts['parameters']}]" if facts["parameters"] else ""
    return f"{', '.join(parts)}: {facts['sql']}{values}{more}"


def _shapes(parameters: object) -> str:
    """Types and lengths of parameters: ``int, str(12)``."""
    if isinstance(parameters, Mapping):
        shapes = [f"{name}={_shape(value)}" for name, value in parameters.items()]
    elif isinstance(parameters, Sequence) and not isinstance(parameters, (str, bytes)):
        shapes = [_shape(value) for value in parameters]
    else:
        return ""
    left = len(shapes) - _MOST_PARAMETERS
    return ", ".join([*shapes[:_MOST_PARAMETERS], *([f"{left} more"] if left > 0 else [])])


def _shape(value: object) -> str:
    kind = "null" if value is None else type(value).__name__
    return f"{kind}({len(value)})" if isinstance(value, Sized) else kind


def _printable(name: str) -> str:
    """Where no route matched, the name is the path, which may have line breaks in it."""
    return name if name.isprintable() else ascii(name)[1:-1]
