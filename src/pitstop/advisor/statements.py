"""Statement statistics: what the application saw of each statement beside what the server counted of it."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from pitstop.postgres import redact
from pitstop.postgres.statements import StatementStats, server_form
from pitstop.store import Latency, Observations, StatementTotals

__all__ = ["Application", "Server", "Sort", "StatementStatistics", "merge_statements", "sort_statements"]

Location = tuple[str, int, str]
Sort = Literal["total", "mean", "p95", "calls"]


@dataclass(frozen=True, slots=True)
class Application:
    """What the application saw; times in milliseconds, from before to after the driver's ``execute``.

    Attributes:
        p95_ms: of the times that were kept, to within 2.5%; None where none were.
        rows: rows of all calls; -1 where the driver did not tell.
        scope, location: the route (operation, script) and the line that took most of the time.
        scopes: how many routes and lines there are in all.
    """

    calls: int
    total_ms: float
    mean_ms: float
    p95_ms: float | None
    max_ms: float
    rows: int
    scope: str
    location: Location | None
    scopes: int


@dataclass(frozen=True, slots=True)
class Server:
    """What the server counted, of all clients, since its statistics were reset; times in milliseconds."""

    calls: int
    total_ms: float
    mean_ms: float
    max_ms: float
    rows: int
    blocks_hit: int
    blocks_read: int


@dataclass(frozen=True, slots=True)
class StatementStatistics:
    """One statement.

    Attributes:
        fingerprint: the statement without its values.
        text: the SQL, values that stood in it taken out.
        application: None when only the server knows it.
        server: None when the server does not know it, or was not asked.
    """

    fingerprint: str
    text: str
    application: Application | None
    server: Server | None

    @property
    def figures(self) -> Application | Server:
        """The application's where there are some, else the server's."""
        found = self.application or self.server
        assert found is not None
        return found

    def as_json(self) -> dict[str, Any]:
        """The statement as a JSON object; a side that does not know it is null."""
        return asdict(self)


_BY: dict[str, Callable[[StatementStatistics], float]] = {
    "total": lambda each: each.figures.total_ms,
    "mean": lambda each: each.figures.mean_ms,
    "p95": lambda each: _p95(each.figures),
    "calls": lambda each: each.figures.calls,
}


def merge_statements(
    observations: Observations, server: Iterable[StatementStats] = ()
) -> list[StatementStatistics]:
    """Both sides of each statement, by the text without its values; most total time first.

    Args:
        observations: what the application saw.
        server: what the server counted; nothing when it was not asked.
    """
    counted: dict[str, list[StatementStats]] = {}
    forms: dict[str, str] = {}
    for row in server:
        form = forms[row.fingerprint] = server_form(row.text)
        counted.setdefault(form, []).append(row)
    seen: dict[str, list[StatementTotals]] = {}
    for each in observations.statements.values():
        # by its fingerprint first: of a very long text the record has the beginning only
        form = forms.get(each.fingerprint) or server_form(each.text)
        seen.setdefault(form, []).append(each)
    merged = [
        _merged(seen.get(form, []), counted.get(form, []), observations.statement_latency)
        for form in seen.keys() | counted.keys()
    ]
    return sort_statements(merged, by="total")


def sort_statements(statements: list[StatementStatistics], *, by: Sort) -> list[StatementStatistics]:
    """Largest first, by the application's figures where there are some, else by the server's.

    The server tells no p95; its mean stands in.
    """
    return sorted(statements, key=lambda each: (-_BY[by](each), each.fingerprint))


def _p95(figures: Application | Server) -> float:
    known = figures.p95_ms if isinstance(figures, Application) else None
    return figures.mean_ms if known is None else known


def _merged(
    seen: list[StatementTotals], counted: list[StatementStats], latencies: dict[str, Latency]
) -> StatementStatistics:
    seen = sorted(seen, key=lambda each: -each.total_ms)
    first = seen[0] if seen else max(counted, key=lambda each: each.total_ms)
    return StatementStatistics(
        fingerprint=first.fingerprint,
        text=redact(first.text),
        application=_application(seen, latencies) if seen else None,
        server=_server(counted) if counted else None,
    )


def _application(seen: list[StatementTotals], latencies: dict[str, Latency]) -> Application:
    times = Latency()
    for fingerprint in {each.fingerprint for each in seen}:
        times.merge(latencies.get(fingerprint, Latency()))
    calls = sum(each.calls for each in seen)
    total_ms = sum(each.total_ms for each in seen)
    max_ms = max(each.max_ms for each in seen)
    known = all(each.rows >= 0 for each in seen)
    return Application(
        calls=calls,
        total_ms=total_ms,
        mean_ms=total_ms / calls if calls else 0.0,
        p95_ms=min(times.quantile(0.95), max_ms) if times.count else None,
        max_ms=max_ms,
        rows=sum(each.rows for each in seen) if known else -1,
        scope=seen[0].scope,
        location=seen[0].location,
        scopes=len(seen),
    )


def _server(counted: list[StatementStats]) -> Server:
    """Several rows are one statement of several users, or texts that differ in a constant."""
    calls = sum(each.calls for each in counted)
    total_ms = sum(each.total_ms for each in counted)
    return Server(
        calls=calls,
        total_ms=total_ms,
        mean_ms=total_ms / calls if calls else 0.0,
        max_ms=max(each.max_ms for each in counted),
        rows=sum(each.rows for each in counted),
        blocks_hit=sum(each.blocks_hit for each in counted),
        blocks_read=sum(each.blocks_read for each in counted),
    )
