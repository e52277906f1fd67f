"""Settings tried with pgbench on private servers."""

from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from pitstop.bench.pgbench import Side
from pitstop.bench.settings_trial import SettingsTrial, measure_settings
from pitstop.errors import BenchError
from pitstop.pool.tune import Advice, Machine, tune
from pitstop.postgres.address import libpq_url

GIB = 1024**3


@pytest.mark.slow
def test_a_setting_that_helps_is_accepted(sync_database_url: str, tmp_path: Path) -> None:
    """On a copy of a database a page cost that forbids the index is left for one that does not."""
    with psycopg.connect(libpq_url(sync_database_url)) as connection:
        connection.execute("create table item as select g as id from generate_series(1, 200000) g")
        connection.execute("create index on item (id)")
    script = tmp_path / "load.sql"
    script.write_text("select count(*) from item where id = 7;\n")
    advice = (
        Advice("random_page_cost", "1.1", "to try it", "a test", current="100000"),
        Advice("max_connections", "50", "never tried", "a test", current="100"),
    )
    how = SettingsTrial(rounds=3, seconds=1, clients=2, source=sync_database_url, script=script)
    said: list[str] = []
    control, planner = measure_settings(
        replace(tune(Machine(8 * GIB, 2)), advice=advice), how, progress=said.append
    )
    assert (control.group, control.advice, control.accepted) == ("control", (), False)
    assert (planner.group, planner.advice) == ("planner", advice[:1])
    assert planner.after > 3 * planner.before
    assert said == ["load the data"] * 2 + ["try control: no change", "try planner: random_page_cost = 1.1"]


def test_a_side_runs_with_what_was_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """A private server is restarted with the settings, whatever server the environment names."""
    monkeypatch.setenv("PITSTOP_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    with Side() as side:
        side.fill(scale=1)
        side.set({"shared_buffers": "64MB"})
        with psycopg.connect(side._url) as connection:
            assert connection.execute("show shared_buffers").fetchone() == ("64MB",)
            assert connection.execute("show fsync").fetchone() == ("on",)
        assert side.rate(seconds=1, clients=1, script=None) > 0
        with pytest.raises(BenchError, match="shared_buffers = much cannot be measured here"):
            side.set({"shared_buffers": "much"})


def test_what_cannot_be_tried(tmp_path: Path) -> None:
    """Too few rounds and a missing script are said."""
    with pytest.raises(BenchError, match="rounds is 2: an interval needs three"):
        SettingsTrial(rounds=2)
    with pytest.raises(BenchError, match="there is no script"):
        SettingsTrial(script=tmp_path / "missing.sql")
