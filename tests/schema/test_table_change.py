"""Reading changes of tables: what is taken as it is written, and why the rest is not."""

import pytest

from pitstop.errors import ChangeRefused
from pitstop.schema import (
    CreateStatistics,
    DropStatistics,
    Name,
    SetOptions,
    SetStatistics,
    ValidateConstraint,
    parse_change,
    read_script,
    reverted,
)


@pytest.mark.parametrize(
    ("sql", "change"),
    [
        ("alter table t set (FILLFACTOR=90)", SetOptions(Name("t"), (("fillfactor", "90"),))),
        (
            'ALTER TABLE shop."Orders" SET (autovacuum_vacuum_scale_factor = 0.01, '
            "toast.autovacuum_enabled = off)",
            SetOptions(
                Name("Orders", "shop"),
                (("autovacuum_vacuum_scale_factor", "0.01"), ("toast.autovacuum_enabled", "off")),
            ),
        ),
        (
            "ALTER TABLE t SET (fillfactor = 70), RESET (parallel_workers)",
            SetOptions(Name("t"), (("fillfactor", "70"),), ("parallel_workers",)),
        ),
        ("ALTER TABLE t ALTER a SET STATISTICS 1000", SetStatistics(Name("t"), "a", 1000)),
        ('ALTER TABLE t ALTER COLUMN "A" SET STATISTICS DEFAULT', SetStatistics(Name("t"), "A", -1)),
        ("ALTER TABLE t VALIDATE CONSTRAINT positive", ValidateConstraint(Name("t"), "positive")),
        ("CREATE STATISTICS s ON a, b FROM t", CreateStatistics(Name("t"), "a, b", "", Name("s"))),
        (
            "create statistics if not exists x.s (mcv, dependencies) on a, (lower(b)) from x.t",
            CreateStatistics(Name("t", "x"), "a, (lower(b))", "(mcv, dependencies)", Name("s", "x")),
        ),
        ("DROP STATISTICS x.s", DropStatistics(Name("s", "x"))),
    ],
)
def test_read(sql: str, change: object) -> None:
    """Each form is read, and written so that it reads the same."""
    read = parse_change(sql)
    assert read == change
    assert parse_change(read.sql) == change


def test_a_name_is_made_up() -> None:
    """Statistics without a name get one, the same each time."""
    made = parse_change("CREATE STATISTICS ON store_id, state FROM orders")
    assert made.sql == (
        "CREATE STATISTICS IF NOT EXISTS st_orders_store_id_state ON store_id, state FROM orders"
    )


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES u NOT VALID", "keeps writers waiting"),
        ("ALTER TABLE t ADD CHECK (a > 0) NOT VALID", "keeps writers waiting"),
        ("ALTER TABLE t ADD CONSTRAINT k UNIQUE (a)", "by CREATE UNIQUE INDEX"),
        ("ALTER TABLE t ADD PRIMARY KEY (a)", "by CREATE UNIQUE INDEX"),
        ("ALTER TABLE t ALTER COLUMN a TYPE bigint", "keeps readers waiting"),
        ("ALTER TABLE t SET LOGGED", "keeps readers waiting"),
        ("ALTER TABLE t SET (fillfactor = 70), ADD COLUMN a int", "keeps readers waiting"),
        ("ALTER TABLE t SET (user_catalog_table = true)", "cannot set 'user_catalog_table'"),
        ("ALTER TABLE t SET (fillfactor = 70, security_barrier)", "cannot set 'security_barrier'"),
        ("CLUSTER t USING i", "writes the table anew"),
        ("VACUUM (FULL, ANALYZE) t", "writes the table anew"),
        ("VACUUM t", "only CREATE INDEX"),
    ],
)
def test_refused(sql: str, reason: str) -> None:
    """What holds others up is refused with what it would do."""
    with pytest.raises(ChangeRefused) as refused:
        parse_change(sql)
    assert reason in str(refused.value)


def test_taken_back() -> None:
    """A setting is taken back by the line that a plan wrote behind it, statistics by their name."""
    script = "ALTER TABLE t SET (fillfactor = 70);\n-- revert: ALTER TABLE t RESET (fillfactor);\n"
    (back,) = reverted(read_script(script))
    assert back.change.sql == "ALTER TABLE t RESET (fillfactor)"
    (back,) = reverted(read_script("CREATE STATISTICS s ON a, b FROM t; ALTER TABLE t VALIDATE CONSTRAINT c"))
    assert back.change == DropStatistics(Name("s"))
    with pytest.raises(ChangeRefused, match="nobody wrote down what set on t was"):
        reverted(read_script("ALTER TABLE t SET (fillfactor = 70)"))
