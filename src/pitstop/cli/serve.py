"""``pitstop serve``: private servers to work against, and on them one of the reference services."""

import json
import pkgutil
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.progress import Progress

from pitstop.errors import SettingsError, require

if TYPE_CHECKING:
    from pitstop.servers import Servers

__all__ = ["serve"]

HOST = "127.0.0.1"


def serve(
    service: Annotated[
        str | None, typer.Argument(help="A reference service to run on the servers, e.g. blog.")
    ] = None,
    form: Annotated[str, typer.Option(help="Which form of the service: naive, tuned, ... or all.")] = "all",
    directory: Annotated[
        Path | None, typer.Option(help="Keep the data here for the next time; without it, it is deleted.")
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the service; 0 takes any free one.")
    ] = 8000,
    scale: Annotated[int, typer.Option(min=1, help="How often the real data is repeated.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the addresses as one line of JSON.")] = False,
) -> None:
    """Start a private PostgreSQL and Redis, show their addresses, and stop them at Ctrl-C.

    With a SERVICE its data is loaded and it is served too. PITSTOP_DATABASE_URL and
    PITSTOP_REDIS_URL name servers of your own to be used instead.
    """
    from pitstop.servers import private_servers

    if service is not None:
        require("uvicorn", extra="serve", what="services")
        _check(service, form)
    with _until_interrupted(), private_servers(directory) as servers:
        if service is None:
            _show(_addresses(servers), servers, kept=directory is not None, as_json=as_json)
            while True:
                signal.pause()
        database_url = _seed(service, servers, form=form, scale=scale)
        with _listen(port) as listener:
            addresses = {
                "url": f"http://{HOST}:{listener.getsockname()[1]}",
                **_addresses(servers, database_url=database_url),
            }
            app = import_module(f"pitstop_services.{service}.api").create_app(
                form, database_url=database_url, redis_url=servers.redis_url
            )
            _show(addresses, servers, kept=directory is not None, as_json=as_json)
            _run(app, listener, access_log=not as_json)


def _check(service: str, form: str) -> None:
    package = import_module("pitstop_services")
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__) if module.ispkg)
    if service not in names:
        raise SettingsError(f"no service {service!r}: there is {', '.join(names)}")
    if form != "all" and form not in _forms(service):
        raise SettingsError(f"no form {form!r} of {service}: use {', '.join(_forms(service))} or all")


def _forms(service: str) -> dict[str, str]:
    """The forms of a service, with the state of the database that each is made for."""
    forms: dict[str, str] = import_module(f"pitstop_services.{service}.forms").FORMS
    return forms


@contextmanager
def _until_interrupted() -> Iterator[None]:
    """Ctrl-C and SIGTERM are the ordinary way to end: the block is left as if it were done."""

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    except KeyboardInterrupt:
        print(file=sys.stderr)  # below the terminal's ^C
    finally:
        signal.signal(signal.SIGTERM, before)


def _seed(service: str, servers: "Servers", *, form: str, scale: int) -> str:
    """Load the data of a service, unless it is there, and give the address of its database."""
    revision = _forms(service).get(form, "head")
    database_url = servers.database_url
    if "postgresql" in servers.private:  # one for each state: a kept directory serves every form and scale
        database_url = _own_database(servers, f"{service}_{revision}_x{scale}")
    seed = import_module(f"pitstop_services.{service}.seed").seed
    with _progress(f"loading {service}, scale {scale}") as progress:
        seed(database_url, scale=scale, revision=revision, progress=progress)
    return database_url


def _own_database(servers: "Servers", name: str) -> str:
    from pitstop.servers import ensure_database

    return ensure_database(servers.database_url, name)


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@contextmanager
def _listen(port: int) -> Iterator[socket.socket]:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
            listener.listen(1024)  # from now on nobody is refused, only kept waiting for a moment
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise SettingsError(
                f"port {port} cannot be used: {reason}: give another --port, 0 takes any"
            ) from error
        yield listener


def _run(app: Any, listener: socket.socket, *, access_log: bool) -> None:
    import uvicorn

    config = uvicorn.Config(app, log_level="info" if access_log else "warning", access_log=access_log)
    uvicorn.Server(config).run(sockets=[listener])


def _addresses(servers: "Servers", *, database_url: str | None = None) -> dict[str, str]:
    return {"database_url": database_url or servers.database_url, "redis_url": servers.redis_url}


def _show(addresses: dict[str, str], servers: "Servers", *, kept: bool, as_json: bool) -> None:
    """The one place that shows passwords: whoever asked for the servers needs them."""
    where = str(servers.directory) if servers.directory else None
    if as_json:
        print(json.dumps({**addresses, "directory": where}), flush=True)
        return
    for name, value in addresses.items():
        print(value if name == "url" else f"export PITSTOP_{name.upper()}={value}")
    if where:
        print(f"# data: {where} ({'kept' if kept else 'deleted at the end'})")
    print("# Ctrl-C stops everything", flush=True)
