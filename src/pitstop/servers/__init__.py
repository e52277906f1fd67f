"""Private PostgreSQL and Redis servers for tests, benchmarks and trying things out."""

from pitstop.servers.database import create_database, create_template, drop_database, ensure_database
from pitstop.servers.private import Servers, private_servers

__all__ = [
    "Servers",
    "create_database",
    "create_template",
    "drop_database",
    "ensure_database",
    "private_servers",
]
