"""Advice for the settings of a server: what fits the machine, and what a live server makes of it."""

import json
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitstop.errors import ServerError, SettingsError
from pitstop.pool.tune import (
    Machine,
    Tuning,
    apply_tuning,
    as_conf,
    as_json,
    as_sql,
    parse_bytes,
    this_machine,
    tune,
)
from pitstop.postgres.address import libpq_url
from pitstop.postgres.server import read_server
from pitstop.servers import private_servers
from tests.pool.state import GIB, MIB, server


def advised(tuning: Tuning) -> dict[str, str]:
    return {each.name: each.value for each in tuning.advice}


@given(
    st.integers(512, 1024 * 1024),
    st.integers(1, 128),
    st.sampled_from(["ssd", "hdd", "san"]),
    st.sampled_from(["web", "oltp", "mixed", "warehouse"]),
    st.none() | st.integers(5, 2000),
)
def test_the_worst_case_stays_within_the_memory(
    ram: int, cores: int, disk: Any, load: Any, connections: int | None
) -> None:
    """Whatever the machine and however many connections are asked for."""
    machine = Machine(ram * MIB, cores, disk, load)
    tuning = tune(machine, connections=connections)
    assert tuning.memory.worst_bytes <= machine.ram_bytes
    assert tuning.memory.work_mem >= 4 * MIB


def test_a_usual_machine() -> None:
    """16 GB, four cores, SSD, web: a quarter for the buffers, and work_mem for a hundred connections."""
    values = advised(tune(Machine(16 * GIB, 4)))
    assert values["shared_buffers"] == "4GB"
    assert values["effective_cache_size"] == "12GB"
    assert values["work_mem"] == "16MB"
    assert values["random_page_cost"] == "1.1"
    assert values["max_connections"] == "100"


def test_kinds_of_load_and_disk() -> None:
    """A warehouse has fewer connections with more memory each; turning disks keep their page cost."""
    values = advised(tune(Machine(64 * GIB, 16, "hdd", "warehouse")))
    assert values["random_page_cost"] == "4"
    assert values["max_connections"] == "40"
    assert parse_bytes(values["work_mem"]) >= 64 * MIB
    assert values["default_statistics_target"] == "500"
    assert "jit" not in values


def test_too_many_connections_are_said() -> None:
    """Where they do not fit, fewer are advised, and a pooler."""
    tuning = tune(Machine(GIB, 1), connections=300)
    assert int(advised(tuning)["max_connections"]) < 100
    assert "300 connections do not fit into the memory" in tuning.notes[0]
    assert "PgBouncer" in tuning.notes[0]


def test_a_live_server_is_not_told_what_it_has() -> None:
    """A setting that is near the advice, or larger where that does no harm, is left out."""
    machine = Machine(16 * GIB, 4)
    values = advised(
        tune(machine, server({"shared_buffers": str(4 * GIB // 8192 + 5), "max_wal_size": "8192"}))
    )
    assert {"shared_buffers", "max_wal_size", "max_connections"} & values.keys() == set()
    assert values["effective_cache_size"] == "12GB"


def test_no_spilling_no_work_mem() -> None:
    """``work_mem`` is raised only where sorts or hashes went to disk; the reason tells how much."""
    machine = Machine(16 * GIB, 4)
    assert "work_mem" not in advised(tune(machine, server()))
    (advice,) = [
        each for each in tune(machine, server(temp_bytes=50 * GIB)).advice if each.name == "work_mem"
    ]
    assert (advice.value, advice.current) == ("16MB", "4MB")
    assert "5.0 GB a day were spilled to disk" in advice.reason


def test_what_a_server_keeps_counts() -> None:
    """Buffers that the server has above a quarter leave less for sorts; the worst case still fits."""
    machine = Machine(16 * GIB, 4)
    large = server({"shared_buffers": str(8 * GIB // 8192)}, temp_bytes=GIB)
    tuning = tune(machine, large)
    assert "shared_buffers" not in advised(tuning)
    assert tuning.memory.shared_buffers == 8 * GIB
    assert tuning.memory.worst_bytes <= machine.ram_bytes


def test_settings_that_take_too_much_are_lowered() -> None:
    """A server whose worst case is above the memory is advised back below it, and told why."""
    machine = Machine(4 * GIB, 2)
    greedy = server({"work_mem": "262144", "max_connections": "500"})
    tuning = tune(machine, greedy)
    assert tuning.current_memory is not None
    assert tuning.current_memory.worst_bytes > machine.ram_bytes > tuning.memory.worst_bytes
    assert {"work_mem", "max_connections"} <= advised(tuning).keys()
    assert any("larger than the memory" in each for each in tuning.notes)


def test_buffers_for_little_data() -> None:
    """More buffers than twice the data are not advised."""
    tuning = tune(Machine(64 * GIB, 4), server(data_bytes=200 * MIB))
    assert parse_bytes(advised(tuning)["shared_buffers"]) <= 400 * MIB


def test_forced_checkpoints_ask_for_more_log() -> None:
    """Where the log forced checkpoints, it gets at least twice its size."""
    busy = server({"max_wal_size": "8192"}, timed=10, requested=90)
    (advice,) = [each for each in tune(Machine(16 * GIB, 4), busy).advice if each.name == "max_wal_size"]
    assert advice.value == "16GB"
    assert "90 of 100 checkpoints were forced" in advice.reason


def test_what_loses_data_comes_first() -> None:
    """fsync off, autovacuum off, transactions that do nothing: said before all that is only slow."""
    tuning = tune(
        Machine(16 * GIB, 4),
        server(
            {"fsync": "off", "autovacuum": "off"}, idle_in_transaction=3, longest_idle_in_transaction_s=600.0
        ),
    )
    assert [each.name for each in tuning.advice][:2] == ["fsync", "autovacuum"]
    assert advised(tuning)["idle_in_transaction_session_timeout"] == "5min"


def test_output() -> None:
    """As SQL, as a file and as JSON; lists are written as PostgreSQL wants them; restarts are named."""
    tuning = tune(Machine(16 * GIB, 4), server({"shared_preload_libraries": "auto_explain"}))
    sql, conf = as_sql(tuning), as_conf(tuning)
    assert "ALTER SYSTEM SET shared_preload_libraries = 'auto_explain', 'pg_stat_statements';" in sql
    assert sql.endswith("SELECT pg_reload_conf();\n-- restart the server for: shared_buffers\n")
    assert "shared_preload_libraries = 'auto_explain,pg_stat_statements'\n" in conf
    document = json.loads(json.dumps(as_json(tuning)))
    assert {each["name"]: each["current"] for each in document["settings"]}["shared_buffers"] == "128MB"
    assert document["memory"]["worst_bytes"] <= 16 * GIB


@pytest.mark.parametrize(
    ("text", "expected"),
    [("16GB", 16 * GIB), ("512 MB", 512 * MIB), ("1.5g", GIB * 3 // 2), ("2GiB", 2 * GIB), ("1024", 1024)],
)
def test_sizes(text: str, expected: int) -> None:
    """Sizes as people write them."""
    assert parse_bytes(text) == expected


def test_what_is_no_machine() -> None:
    """Nonsense is an error that says what to write."""
    with pytest.raises(SettingsError, match="'much' is no size: write 16GB"):
        parse_bytes("much")
    with pytest.raises(SettingsError, match="64MB of RAM are too few"):
        Machine(64 * MIB, 1)
    assert this_machine().cores >= 1


def test_a_real_server_accepts_every_statement() -> None:
    """On a server of its own: all advice is written, a restart shows it in force, then nothing is left."""
    machine = Machine(8 * GIB, 4, "ssd", "mixed")
    with private_servers(redis=False) as servers:
        url = servers.database_url
        with psycopg.connect(libpq_url(url)) as connection:
            connection.execute("set work_mem = '64kB'")
            connection.execute(
                "select count(*) from (select g from generate_series(1, 200000) g order by -g) s"
            )
        tuning = tune(machine, read_server(url), connections=50)
        apply_tuning(url, tuning)
        after = read_server(url)
        waiting = {each.name for each in tuning.advice if each.restart}
        left = {each.name for each in tune(machine, after, connections=50).advice}
        assert waiting
        assert left == waiting
        with pytest.raises(ServerError, match="refused after nothing was written"):
            apply_tuning(url, replace(tuning, advice=(replace(tuning.advice[0], value="nonsense"),)))
