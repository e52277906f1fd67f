"""Nothing is left when the owner of private servers ends, however it ends."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from pitstop.postgres.address import libpq_url
from tests.servers.conftest import Owner, eventually, processes_of

Own = Callable[..., Owner]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_after_a_signal(own: Own, number: signal.Signals) -> None:
    """A killed owner leaves no process and no temporary directory."""
    owner = own()
    assert len(processes_of(owner.directory)) >= 3
    owner.process.send_signal(number)
    assert eventually(lambda: owner.gone() and not owner.directory.exists())


def test_nothing_is_left_after_the_block(own: Own) -> None:
    """When the block has been left, all is gone already."""
    owner = own("-", "leave")
    assert owner.process.wait(30) == 0
    assert owner.gone()
    assert not owner.directory.exists()


def test_a_forked_child_does_not_hold_the_servers(own: Own) -> None:
    """Servers stop with the process that opened them though its forked child lives on."""
    owner = own("-", "fork")
    owner.process.kill()
    try:
        assert eventually(lambda: owner.gone() and not owner.directory.exists())
    finally:
        os.kill(owner.addresses["child"], signal.SIGKILL)


def test_servers_die_with_their_keeper(own: Own, tmp_path: Path) -> None:
    """A killed keeper takes its servers along, and the next one starts in the same directory."""
    owner = own(tmp_path)
    keeper = Path(f"/proc/{_keeper_of(tmp_path)}")
    os.kill(int(keeper.name), signal.SIGKILL)
    assert eventually(owner.gone)
    again = own(tmp_path)
    assert _answer(again) == 1


def test_two_processes_share_a_directory(own: Own, tmp_path: Path) -> None:
    """The second one joins the servers of the first, and keeps them when the first is killed."""
    first, second = own(tmp_path), own(tmp_path)
    assert first.addresses["database_url"] == second.addresses["database_url"]
    first.process.kill()
    first.process.wait()
    assert _answer(second) == 1


def test_data_is_kept(own: Own, tmp_path: Path) -> None:
    """A directory of the user's keeps its data and its addresses for the next time."""
    first = own(tmp_path / "deep" / "servers")
    with psycopg.connect(libpq_url(first.addresses["database_url"])) as connection:
        connection.execute("create table kept as select 1")
    first.process.terminate()
    assert eventually(first.gone)
    second = own(tmp_path / "deep" / "servers")
    assert second.addresses["database_url"] == first.addresses["database_url"]
    with psycopg.connect(libpq_url(second.addresses["database_url"])) as connection:
        assert connection.execute("select * from kept").fetchone() == (1,)


def test_two_directories_are_independent(own: Own) -> None:
    """Two owners have different servers, and the end of one does not touch the other."""
    first, second = own(), own()
    assert first.addresses["database_url"] != second.addresses["database_url"]
    first.process.kill()
    assert eventually(first.gone)
    assert _answer(second) == 1


def _answer(owner: Owner) -> object:
    with psycopg.connect(libpq_url(owner.addresses["database_url"])) as connection:
        row = connection.execute("select 1").fetchone()
    return row and row[0]


def _keeper_of(directory: Path) -> int:
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(entry / "cwd") == str(directory):
                return int(entry.name)
        except OSError:
            continue
    raise AssertionError(f"no keeper works in {directory}")
