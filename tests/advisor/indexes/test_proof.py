"""Advice proven: on a copy with the rows, in real time."""

import importlib
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from pitstop.advisor.indexes import (
    Advice,
    AdvisedIndex,
    AdvisedStatement,
    Advisor,
    Harm,
    WorkloadStatement,
    prove,
)
from pitstop.advisor.indexes.trial import Comparison, compare
from pitstop.advisor.whatif import Replica, WhatIf, open_replica
from pitstop.errors import WhatIfError
from pitstop.postgres.address import libpq_url
from pitstop.servers import Servers, create_database, drop_database
from pitstop.statistics import Ratio

Copy = Callable[..., WhatIf]
proof_module = importlib.import_module("pitstop.advisor.indexes.proof")

MISLED = """
DROP TABLE IF EXISTS misled;
CREATE TABLE misled (id int PRIMARY KEY, place int, late boolean, note text);
INSERT INTO misled
SELECT i, i * 7919 % 100003, i * 7919 % 100003 > 90000, repeat('x', 100) FROM generate_series(1, 100000) AS i;
"""

BY_USER = "SELECT * FROM orders WHERE user_id = 7"
BY_USER_DDL = "CREATE INDEX CONCURRENTLY ON public.orders (user_id)"


@pytest.fixture(scope="module")
def replica(pitstop_servers: Servers, pitstop_template: str) -> Iterator[Replica]:
    """A copy of a shop with its rows; an index of another test is hidden from the next proof."""
    url, name = pitstop_servers.sync_database_url, f"advisor_proof_{uuid.uuid4().hex[:8]}"
    servers = pitstop_servers if "postgresql" in pitstop_servers.private else None
    with open_replica(create_database(url, name, template=pitstop_template), servers=servers) as found:
        yield found
    drop_database(url, name)


def advice(statements: list[tuple[str, float]], indexes: dict[str, tuple[int, ...]]) -> Advice:
    """Advice that somebody gave."""
    return Advice(
        indexes=tuple(AdvisedIndex(ddl, "", 0, 0.0, users) for ddl, users in indexes.items()),
        statements=tuple(AdvisedStatement(text, weight, 1.0, 1.0) for text, weight in statements),
        mean_before=1.0,
        mean_after=1.0,
        candidates=0,
    )


def test_what_helps_stays(copy: Copy, replica: Replica) -> None:
    """Advice is proven with its real times, and the same advice comes back with what is kept."""
    advisor = Advisor(copy())
    given = advisor.advise([WorkloadStatement(BY_USER), WorkloadStatement("SELECT * FROM nowhere")])
    said: list[str] = []
    proof = prove(given, replica, progress=said.append)
    (index,) = proof.indexes
    known, broken = proof.statements
    assert (index.is_kept, index.reason) == (True, "")
    assert proof.kept == [index.ddl]
    assert index.size_bytes > 100_000
    assert index.saved_ms > 0
    assert [each.statement for each in index.effects] == [0]
    assert known.verdict == "faster"
    assert known.after_ms < known.before_ms / 3
    assert known.ratio is not None
    assert known.ratio.value < 1 / 3
    assert (broken.verdict, "nowhere" in broken.problem) == ("not proven", True)
    assert advisor.only(proof.kept) == given
    assert advisor.only([]).indexes == ()
    assert said[0] == f"build 1 of 1: {index.ddl}"


def test_what_nobody_uses_goes(replica: Replica) -> None:
    """An index that no plan reads, and one that makes no statement faster beside another, are dropped."""
    given = advice(
        [(BY_USER, 1.0)],
        {
            BY_USER_DDL: (0,),
            "CREATE INDEX CONCURRENTLY ON public.orders (user_id, id)": (0,),
            "CREATE INDEX CONCURRENTLY ON public.orders (note)": (),
            "CREATE INDEX CONCURRENTLY ON public.orders (nothing)": (),
        },
    )
    proof = prove(given, replica)
    reasons = {each.ddl: each.reason for each in proof.indexes if not each.is_kept}
    assert len(proof.kept) == 1
    assert reasons["CREATE INDEX CONCURRENTLY ON public.orders (note)"] == "no statement uses it"
    assert "cannot be built" in reasons["CREATE INDEX CONCURRENTLY ON public.orders (nothing)"]
    assert proof.statements[0].verdict == "faster"


def test_what_a_noisy_machine_hides_stays(replica: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where times vary too much to tell, with more rounds too, the index stays and the noise is told."""
    patiences: list[int] = []

    def noisily(*arguments: Any, patience: int = 1, **options: Any) -> Comparison:
        patiences.append(patience)
        return replace(compare(*arguments, **options), ratio=Ratio(0.9, 0.4, 2.0))

    monkeypatch.setattr(proof_module, "compare", noisily)
    proof = prove(advice([(BY_USER, 1.0)], {BY_USER_DDL: (0,)}), replica)
    (index,), (statement,) = proof.indexes, proof.statements
    assert index.is_kept
    assert index.reason.startswith("not proven: statement 1: too noisy: ")
    assert "between 0.40 and 2.00 times as long" in index.reason
    assert statement.verdict == "not proven"
    assert statement.problem.startswith("too noisy: ")
    assert max(patiences) == 2


def test_what_costs_writes_more_goes(replica: Replica) -> None:
    """An index that saves a rare read little and costs a frequent write much is dropped."""
    write = "INSERT INTO docs SELECT i + 100000, repeat('w1 w2 w3 ', 20) FROM generate_series(1, 500) AS i"
    read = "SELECT count(*) FROM docs WHERE to_tsvector('english', body) @@ to_tsquery('english', 'w77')"
    ddl = "CREATE INDEX CONCURRENTLY ON public.docs USING gin (to_tsvector('english'::regconfig, body))"
    often = prove(advice([(read, 1.0), (write, 10_000.0)], {ddl: (0,)}), replica)
    assert often.kept == []
    assert "it takes more than it saves, most of statement 2" in often.indexes[0].reason


def misled(replica: Replica, *, weight: float) -> Advice:
    """An index by place that serves a look-up, and misleads the planner in another statement."""
    replica.connection.execute(MISLED.encode())
    return advice(
        [
            ("SELECT * FROM misled WHERE late ORDER BY place LIMIT 5", 1.0),
            ("SELECT note FROM misled WHERE place = 7", weight),
        ],
        {"CREATE INDEX CONCURRENTLY ON public.misled (place)": (0, 1)},
    )


def test_what_harms_a_statement_goes(replica: Replica) -> None:
    """Where the planner is misled into an index that makes a statement slower, the index is dropped."""
    proof = prove(misled(replica, weight=20.0), replica)
    assert proof.kept == []
    assert "it makes statement 1 slower" in proof.indexes[0].reason
    assert [each.verdict for each in proof.statements] == ["same", "same"]


def test_what_saves_others_far_more_stays(replica: Replica) -> None:
    """The same index stays, and says why, where the workload would lose ten times as much without it."""
    proof = prove(misled(replica, weight=100_000.0), replica)
    assert len(proof.kept) == 1
    assert "it makes statement 1 slower" in proof.indexes[0].reason
    assert "and saves others more" in proof.indexes[0].reason
    assert [each.verdict for each in proof.statements] == ["slower", "faster"]


@pytest.mark.parametrize("weight", [20.0, 100_000.0])
def test_another_in_the_place_of_a_harmful_one(replica: Replica, weight: float) -> None:
    """Where an index can be had that does the same good and no harm, it takes the place."""
    given, asked = misled(replica, weight=weight), list[tuple[Harm, ...]]()
    other = "CREATE INDEX CONCURRENTLY ON public.misled USING hash (place)"

    def others(harms: Sequence[Harm]) -> Advice:
        asked.append(tuple(harms))
        return advice([(each.text, each.weight) for each in given.statements], {other: (1,)})

    proof = prove(given, replica, others=others)
    assert proof.kept == [other]
    assert [each.is_kept for each in proof.indexes] == [False, True]
    assert [each.verdict for each in proof.statements] == ["same", "faster"]
    assert asked == [(Harm(given.indexes[0].ddl, "public.misled"),)]


def test_advice_without_a_harmful_index(copy: Copy) -> None:
    """No index with its keys is advised again; what it kept from being advised may come back together."""
    advisor, workload = (
        Advisor(copy()),
        [WorkloadStatement(BY_USER), WorkloadStatement(f"{BY_USER} ORDER BY id")],
    )
    (first,) = advisor.advise(workload).indexes
    again = advisor.advise(workload, without=[Harm(first.ddl, "public.orders")])
    assert first.ddl not in [each.ddl for each in again.indexes]
    assert [each.ddl for each in advisor.only([first.ddl]).indexes] == [first.ddl]


def test_nothing_is_written(replica: Replica) -> None:
    """Writes are timed and taken back, with an index and without."""
    count = "SELECT count(*), sum(total) FROM orders"
    before = replica.connection.execute(count.encode()).fetchone()
    given = advice([("DELETE FROM orders WHERE user_id = 7", 1.0)], {BY_USER_DDL: (0,)})
    proof = prove(given, replica)
    assert proof.statements[0].verdict == "faster"
    assert replica.connection.execute(count.encode()).fetchone() == before


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM orders WHERE user_id = $1 AND status = $2",
        "SELECT * FROM orders WHERE user_id = ANY ($1) LIMIT $2",
        "SELECT o.total FROM users u JOIN orders o ON o.user_id = u.id WHERE lower(u.email) = $1",
        "SELECT count(*) FROM orders WHERE created_at >= $1 AND created_at < $2 AND user_id = $3",
        "UPDATE users SET country = $3 WHERE id = $1 OR email = $2",
        "SELECT * FROM orders WHERE data @> $1::jsonb AND created_at > now() - $2::interval",
        "SELECT * FROM users WHERE bio ILIKE $1",
    ],
)
def test_parameters(statement: str, copy: Copy, replica: Replica) -> None:
    """Parameters get values out of the columns that they are compared with."""
    given = Advisor(copy()).advise([WorkloadStatement(statement)])
    proof = prove(given, replica)
    assert proof.statements[0].problem == ""
    assert proof.statements[0].before_ms > 0


def test_a_parameter_that_no_column_tells(copy: Copy, replica: Replica) -> None:
    """It is said, and its index stays as advised."""
    given = Advisor(copy()).advise(
        [WorkloadStatement("SELECT * FROM orders WHERE user_id = $1::int + $2::int")]
    )
    proof = prove(given, replica)
    assert "no value is known for $1: write one into the statement" in proof.statements[0].problem
    assert proof.kept == [each.ddl for each in given.indexes]
    assert proof.indexes[0].reason == "not proven: statement 1 could not be run"


def test_what_takes_too_long(replica: Replica) -> None:
    """A statement that does not end in time with an index nor without is not proven."""
    given = advice([("SELECT count(*), pg_sleep(60) FROM orders", 1.0)], {})
    proof = prove(given, replica, timeout_s=0.5)
    assert proof.statements[0].problem == "it takes longer than 0.5 s with and without"


def test_a_large_database_is_refused(database_url: str) -> None:
    """Its size is told with what to do."""
    refused = pytest.raises(WhatIfError, match="and at most 1 are copied: allow more with --most-copied")
    with refused, open_replica(database_url, most_bytes=1024**2):
        pass


def test_nothing_is_left(database_url: str, pitstop_servers: Servers) -> None:
    """An interrupt takes the copy away, and the original is as it was."""
    if "postgresql" not in pitstop_servers.private:
        pytest.skip("counts the databases of a private server")
    names: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        _interrupt(database_url, pitstop_servers, names)
    with psycopg.connect(libpq_url(pitstop_servers.sync_database_url)) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_database WHERE datname = any(%s)", [names]
        ).fetchone()
    assert len(names) == 1
    assert row == (0,)


def _interrupt(url: str, servers: Servers, names: list[str]) -> None:
    with open_replica(url, servers=servers) as found:
        names.append(found.connection.info.dbname)
        raise KeyboardInterrupt
