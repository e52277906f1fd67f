"""Making a copy: the definitions and statistics of a database, carried to a private server."""

import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg

from pitstop.advisor.whatif.clone import WhatIf
from pitstop.advisor.whatif.restoring import create_like, dump_statistics, restore
from pitstop.advisor.whatif.target import open_target
from pitstop.errors import WhatIfError
from pitstop.postgres.address import libpq_url, with_database
from pitstop.servers.database import drop_database
from pitstop.servers.private import Servers, own_postgresql

__all__ = ["open_whatif"]


@contextmanager
def open_whatif(url: str, *, servers: Servers | None = None, scale: float = 1) -> Iterator[WhatIf]:
    """Copy definitions and statistics of a database to a private server, and ask there.

    The original is only read: its catalog, and some rows of tables for which an index is made up whose size
    no statistics tell (at most 10,000 rows or 16 MiB of each, to this machine, deleted at the end).

    Args:
        url: ``postgresql://...``, with or without a driver name; PostgreSQL 13 or later.
        servers: a private PostgreSQL to use; None to start one.
        scale: how many times larger the tables of more than a thousand rows are to be.

    Raises:
        SettingsError: the address is not one of PostgreSQL.
        ServerNotFound: nobody answers there, or this machine has no server program.
        ServerStartFailed: the private server did not come up.
        WhatIfError: the copy cannot be made; the message says why.
    """
    with ExitStack() as stack:
        target = stack.enter_context(open_target(url))
        dump = dump_statistics(libpq_url(url))
        private = servers or stack.enter_context(own_postgresql())
        if private.directory is None or "postgresql" not in private.private:
            raise WhatIfError("a what-if copy needs a private postgresql: leave servers out")
        name = f"whatif_{uuid.uuid4().hex[:16]}"
        own = libpq_url(private.sync_database_url)
        stack.callback(drop_database, own, name)
        with psycopg.connect(own, autocommit=True) as connection:
            _check_version(connection)
            create_like(connection, name, plain_order=target.plain_order, settings=target.settings)
        address = with_database(own, name)
        failures = restore(address, dump, extensions=target.extensions)
        data = private.directory / "postgresql" / "data"
        whatif = WhatIf(target, address, data, scale=scale, failures=failures)
        stack.callback(whatif.close)
        yield whatif


def _check_version(connection: "psycopg.Connection[Any]") -> None:
    if connection.info.server_version < 180000:
        raise WhatIfError(
            "a what-if copy needs PostgreSQL 18 and the private server is "
            f"{connection.info.server_version // 10000}: pip install 'pitstop[servers]'"
        )
