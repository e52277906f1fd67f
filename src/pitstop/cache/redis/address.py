"""Where a Redis is: addresses, and the URLs that name them."""

from dataclasses import dataclass, field
from ssl import CERT_NONE, CERT_REQUIRED, SSLContext, create_default_context
from typing import Literal
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from pitstop.errors import SettingsError

__all__ = ["Address", "Kind", "Target", "parse_url"]

Kind = Literal["direct", "cluster", "sentinel"]

REDIS_PORT = 6379
SENTINEL_PORT = 26379

_KINDS: dict[str, Kind] = {"redis": "direct", "rediss": "direct", "unix": "direct"}
_PARAMETERS = {
    "db",
    "ssl_cert_reqs",
    "ssl_ca_certs",
    "ssl_check_hostname",
    "sentinel_username",
    "sentinel_password",
}
_FORMS = (
    "redis://user:password@host:6379/0, rediss:// for TLS, unix:///path?db=0, "
    "redis+cluster://host:port,host:port or redis+sentinel://host:port,host:port/master_name/0"
)


@dataclass(frozen=True, slots=True)
class Address:
    """One server.

    Attributes:
        host: name or IP address; unused with ``path``.
        port: TCP port.
        path: of a Unix socket instead of ``host`` and ``port``.
        username: of the ACL; None for ``default``.
        password: shown nowhere.
        db: the logical database.
        ssl: whether to speak TLS.
        verify: whether its certificate is checked.
        check_hostname: whether the certificate must name ``host``.
        ca_file: certificates to trust; None for those of the system.
    """

    host: str = "localhost"
    port: int = REDIS_PORT
    path: str | None = None
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    db: int = 0
    ssl: bool = False
    verify: bool = True
    check_hostname: bool = True
    ca_file: str | None = None

    def __str__(self) -> str:
        """The URL without user and password."""
        if self.path is not None:
            return f"unix://{self.path}?db={self.db}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'rediss' if self.ssl else 'redis'}://{host}:{self.port}/{self.db}"

    def tls(self) -> SSLContext | None:
        """A context to speak TLS with; None for plain text.

        Raises:
            SettingsError: the file of certificates cannot be read.
        """
        if not self.ssl:
            return None
        try:
            context = create_default_context(cafile=self.ca_file)
        except OSError as error:
            raise SettingsError(
                f"ssl_ca_certs={self.ca_file!r} cannot be read: {str(error).lower()}: name a PEM file"
            ) from error
        context.check_hostname = self.verify and self.check_hostname
        context.verify_mode = CERT_REQUIRED if self.verify else CERT_NONE
        return context


@dataclass(frozen=True, slots=True)
class Target:
    """What a URL names.

    Attributes:
        kind: one server, the seeds of a Cluster, or Sentinels.
        seeds: addresses to ask; for Sentinels, of the Sentinels, but with the master's user, password and db.
        master: the name of the master that Sentinels watch.
        sentinel_username: what Sentinels themselves want.
        sentinel_password: what Sentinels themselves want; shown nowhere.
    """

    kind: Kind
    seeds: tuple[Address, ...]
    master: str | None = None
    sentinel_username: str | None = field(default=None, repr=False)
    sentinel_password: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        """The addresses without user and password."""
        return ", ".join(map(str, self.seeds))


def parse_url(url: str) -> Target:
    """Read the URL of a Redis.

    Args:
        url: ``redis://``, ``rediss://`` (TLS), ``unix://``; ``redis+cluster://`` and ``redis+sentinel://``
            (also ``rediss+...``) with several hosts. User and password are percent-encoded; the logical
            database is the path or ``?db=``. TLS takes ``ssl_cert_reqs=none``, ``ssl_ca_certs=<file>`` and
            ``ssl_check_hostname=false`` as redis-py does.

    Raises:
        SettingsError: it is none of these; the message says how to write it.
    """
    try:
        parts = urlsplit(url)
        if "@" in parts.path + parts.query + parts.fragment:  # messages would show pieces of a password
            raise ValueError("a character of user, password or path must be percent-encoded")
        options = _options(parts)
        kind = _kind(parts)
        if parts.scheme == "unix":
            return Target(kind, (_unix(parts, options),))
        return _network(parts, options, kind)
    except ValueError as error:
        raise SettingsError(f"a redis url cannot be read: {error}: write {_FORMS}") from None


def _kind(parts: SplitResult) -> Kind:
    base, _, flavour = parts.scheme.partition("+")
    if base not in _KINDS or flavour not in ("", "cluster", "sentinel") or (base == "unix" and flavour):
        raise ValueError(f"the scheme {parts.scheme!r} is unknown")
    return "cluster" if flavour == "cluster" else "sentinel" if flavour == "sentinel" else "direct"


def _options(parts: SplitResult) -> dict[str, str]:
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    unknown = sorted(set(options) - _PARAMETERS)
    if unknown:
        known = ", ".join(sorted(_PARAMETERS))
        raise ValueError(f"the parameter {unknown[0]!r} is unknown (known are {known})")
    return options


def _unix(parts: SplitResult, options: dict[str, str]) -> Address:
    path = unquote(parts.path)
    if not path:
        raise ValueError("unix:// has no path")
    username, password, _ = _authority(parts.netloc)
    return Address(path=path, username=username, password=password, db=_db(options.get("db", "0")))


def _network(parts: SplitResult, options: dict[str, str], kind: Kind) -> Target:
    username, password, hosts = _authority(parts.netloc)
    steps = [unquote(step) for step in parts.path.split("/") if step]
    master = steps.pop(0) if kind == "sentinel" and steps else None
    if kind == "sentinel" and master is None:
        raise ValueError("redis+sentinel:// has no name of a master in its path")
    if len(steps) > 1:
        raise ValueError(f"the path {parts.path!r} has too many parts")
    db = _db(options.get("db") or (steps[0] if steps else "0"))
    if kind == "cluster" and db:
        raise ValueError(f"a cluster has database 0 only, not {db}")
    names = hosts.split(",")
    if kind == "direct" and len(names) > 1:
        raise ValueError("redis:// has several hosts")
    port = SENTINEL_PORT if kind == "sentinel" else REDIS_PORT
    tls = parts.scheme.startswith("rediss")
    seeds = (_seed(name, port, username, password, db, tls, options) for name in names)
    return Target(
        kind, tuple(seeds), master, options.get("sentinel_username"), options.get("sentinel_password")
    )


def _seed(
    name: str,
    port: int,
    username: str | None,
    password: str | None,
    db: int,
    tls: bool,
    options: dict[str, str],
) -> Address:
    place = urlsplit(f"//{name}")
    return Address(
        host=place.hostname or "localhost",
        port=place.port or port,
        username=username,
        password=password,
        db=db,
        ssl=tls,
        verify=options.get("ssl_cert_reqs", "required").lower().removeprefix("cert_") != "none",
        check_hostname=options.get("ssl_check_hostname", "true").lower() not in ("false", "0", "no"),
        ca_file=options.get("ssl_ca_certs"),
    )


def _authority(netloc: str) -> tuple[str | None, str | None, str]:
    user, _, hosts = netloc.rpartition("@")
    username, _, password = user.partition(":")
    return unquote(username) or None, unquote(password) or None, hosts


def _db(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(f"the database {text!r} is no number")
    return int(text)
