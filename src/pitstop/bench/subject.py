"""What is measured: a reference service in some of its forms, or a user's own two servers."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pitstop.bench.records import Mode
from pitstop.errors import BenchError

__all__ = ["Plan", "ServerPair", "Service", "service_plan"]


@dataclass(frozen=True, slots=True)
class Service:
    """A reference service, by name.

    Attributes:
        name: e.g. ``"blog"``.
        forms: which of its forms; the first is what the others are compared to; empty for its pair.
        scale: how often its data is repeated; None for the service's default.
        database_url: a PostgreSQL server on which databases may be made, any spelling; None for a
            private one. The databases are dropped at the end.
        scenario: user class of the service's load, for both measurements; empty for the service's own choice.
    """

    name: str
    forms: tuple[str, ...] = ()
    scale: int | None = None
    database_url: str | None = None
    scenario: str = ""

    def __repr__(self) -> str:  # without the URL, which carries a password
        return f"Service({self.name!r}, forms={self.forms!r}, scale={self.scale!r})"


@dataclass(frozen=True, slots=True)
class ServerPair:
    """Two servers that are up already.

    Attributes:
        before, after: their base URLs.
        locustfile: path of the file with the user class.
        scenario: the class's name; empty for the only one there.
        database_url: their PostgreSQL, for statements per request (needs ``pg_stat_statements``).
        before_pid, after_pid: their processes, for CPU and memory; found by themselves on loopback.
    """

    before: str
    after: str
    locustfile: Path
    scenario: str = ""
    database_url: str | None = None
    before_pid: int | None = None
    after_pid: int | None = None

    def __repr__(self) -> str:  # without the URL, which carries a password
        return f"ServerPair({self.before!r}, {self.after!r}, {str(self.locustfile)!r})"


@dataclass(frozen=True, slots=True)
class Plan:
    """How a service is set up and loaded, read from its own modules.

    Attributes:
        forms: form -> Alembic revision of the database it runs on, in the order of measuring.
        scenarios: measurement -> Locust class.
        redis_forms: those that are measured with a Redis.
    """

    service: str
    forms: dict[str, str]
    scenarios: dict[Mode, str]
    scale: int
    locustfile: str
    redis_forms: tuple[str, ...] = ()

    @property
    def factory(self) -> str:
        """Where ``create_app(form=...)`` is."""
        return f"pitstop_services.{self.service}.api:create_app"

    def module(self, name: str) -> Any:
        """One of the service's modules, imported now: services are above this room."""
        return import_module(f"pitstop_services.{self.service}.{name}")


def service_plan(service: Service) -> Plan:
    """Find a service and check that the wish can be met.

    Raises:
        BenchError: no such service or form, or a scale that cannot be.
    """
    package = f"pitstop_services.{service.name}"
    if not service.name.isidentifier() or find_spec(package) is None:
        raise BenchError(f"no service {service.name!r}: there is {', '.join(_services())}")
    declared = import_module(f"{package}.forms")
    chosen = service.forms or declared.DEFAULT_PAIR
    scale = declared.DEFAULT_SCALE if service.scale is None else service.scale
    if scale < 1:
        raise BenchError(f"scale {scale} cannot be seeded: use 1 or more")
    load = find_spec(f"{package}.load")
    if load is None or load.origin is None:
        raise BenchError(f"service {service.name!r} has no load to put on it")
    forms = _chosen(service.name, declared.FORMS, chosen)
    scenarios = {mode: service.scenario or chosen for mode, chosen in declared.SCENARIOS.items()}
    with_redis = tuple(getattr(declared, "REDIS_FORMS", ()))
    return Plan(service.name, forms, scenarios, scale, load.origin, with_redis)


def _chosen(service: str, there: Mapping[str, str], chosen: tuple[str, ...]) -> dict[str, str]:
    for form in chosen:
        if form not in there:
            raise BenchError(f"no form {form!r} of {service}: there is {', '.join(there)}")
    if len(set(chosen)) != len(chosen):
        raise BenchError(f"forms {', '.join(chosen)} name one twice: name each once")
    return {form: there[form] for form in chosen}


def _services() -> list[str]:
    import pkgutil

    package = find_spec("pitstop_services")
    places = package.submodule_search_locations if package else None
    return sorted(module.name for module in pkgutil.iter_modules(places or []) if module.ispkg)
