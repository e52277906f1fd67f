"""The slow statement log: which statements, what a line tells, and what it never tells."""

import logging
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import DBAPIError

from pitstop.scope import Scope, open_scope
from pitstop.sql import observe, slow
from pitstop.web import ObserveMiddleware
from tests.sql.shelves import ask

SECRETS = {"name": "hunter2", "number": 424242, "raw": b"s3cr3t"}
QUESTION = "SELECT 'literal', 98765 -- a remark\nWHERE :name <> 'x' AND :number > 0.125 AND :raw IS NOT NULL"


class Listener(logging.Handler):
    """Keeps what is logged."""

    def __init__(self, records: list[logging.LogRecord]) -> None:
        super().__init__()
        self.emit = records.append  # type: ignore[method-assign]


@pytest.fixture
def lines() -> Iterator[list[logging.LogRecord]]:
    """What is logged."""
    records: list[logging.LogRecord] = []
    listener = Listener(records)
    slow.log.addHandler(listener)
    yield records
    slow.log.removeHandler(listener)
    slow.log.setLevel(logging.NOTSET)


def run(engine: Engine, statement: str, parameters: dict[str, object] | None = None) -> None:
    with open_scope("import prices"), engine.connect() as connection:
        connection.execute(text(statement), parameters)


def test_a_line_tells_what_and_where(engine: Engine, lines: list[logging.LogRecord]) -> None:
    """Milliseconds, operation, line, fingerprint, SQL, shapes of parameters; as fields of the record too."""
    with observe(engine, slow_ms=0.0):
        run(engine, QUESTION, SECRETS)
    (record,) = lines
    said = record.getMessage()
    assert record.levelname == "WARNING"
    assert said.startswith("slow statement: ")
    for part in (
        " ms, import prices, ",
        f"{Path(__file__).name}:",
        " in run, fingerprint ",
        "SELECT ?, ? WHERE",
    ):
        assert part in said
    assert said.endswith("[str(7), int, bytes(6)]")
    assert "\n" not in said
    facts = vars(record)
    assert (facts["operation"], facts["rows"], facts["failed"], facts["kept_back"]) == (
        "import prices",
        -1,
        False,
        0,
    )
    assert facts["sql"] == "SELECT ?, ? WHERE ? <> ? AND ? > ? AND ? IS NOT NULL"
    assert len(facts["fingerprint"]) == 16
    assert isinstance(facts["ms"], float)


def test_no_value_is_told(engine: Engine, lines: list[logging.LogRecord]) -> None:
    """Neither parameters nor literals nor remarks are anywhere in the record."""
    with observe(engine, slow_ms=0.0):
        run(engine, QUESTION, SECRETS)
    (record,) = lines
    everything = repr(vars(record))
    for secret in ("hunter2", "424242", "s3cr3t", "literal", "98765", "remark", "0.125"):
        assert secret not in everything


def test_only_slow_statements_are_logged(engine: Engine, lines: list[logging.LogRecord]) -> None:
    """Below the limit nothing is; without a limit, after the end and outside of any scope neither."""
    with observe(engine, slow_ms=1e9):
        run(engine, "SELECT 1")
    with observe(engine):
        run(engine, "SELECT 2")
    run(engine, "SELECT 3")
    with observe(engine, slow_ms=0.0):
        ask(engine)
    assert lines == []


def test_the_lowest_limit_holds(engine: Engine, lines: list[logging.LogRecord]) -> None:
    """Of two observers the one with the low limit logs, as long as it is there; twice closed is once."""
    high, low = observe(engine, slow_ms=1e9), observe(engine, slow_ms=0.0)
    run(engine, "SELECT 'both'")
    low.close()
    low.close()
    run(engine, "SELECT a FROM (SELECT 1 AS a)")
    high.close()
    assert len(lines) == 1
    assert slow.limit_ms == float("inf")


def test_lines_are_bounded(
    engine: Engine, lines: list[logging.LogRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line in ten seconds for each statement; the next one says how many were kept back."""
    with observe(engine, slow_ms=0.0):
        for number in range(5):
            run(engine, "SELECT :number", {"number": number})
        run(engine, "SELECT 1, 2")
        monkeypatch.setattr(slow, "_EVERY_S", 0.0)
        run(engine, "SELECT 'later'")
    assert [vars(each)["kept_back"] for each in lines] == [0, 0, 4]
    assert lines[-1].getMessage().endswith("; 4 more like it were not logged")


def test_statements_that_fail_are_logged(postgresql: Engine, lines: list[logging.LogRecord]) -> None:
    """A statement that the server gave up is slow above all; the line says that it failed."""
    with observe(postgresql, slow_ms=50.0), pytest.raises(DBAPIError):
        run(postgresql, "SET LOCAL statement_timeout = '150ms'; SELECT pg_sleep(20)")
    (record,) = lines
    assert vars(record)["failed"] is True
    assert " ms, failed, " in record.getMessage()
    assert 150.0 <= vars(record)["ms"] < 20_000.0


def test_rows_are_told_where_the_driver_tells_them(
    postgresql: Engine, lines: list[logging.LogRecord]
) -> None:
    """On PostgreSQL the number of rows stands in the line; of many parameters the first twelve do."""
    values = {f"v{number}": number + 100 for number in range(15)}
    listed = ", :".join(["7", *values])
    with observe(postgresql, slow_ms=0.0):
        run(
            postgresql,
            f"SELECT n FROM generate_series(1, 7) AS n WHERE n NOT IN ({listed})",
            values,
        )
    (record,) = lines
    assert ", 6 rows, import prices, " in record.getMessage()
    assert vars(record)["sql"].endswith(" NOT IN (?, ...)")
    assert vars(record)["parameters"].endswith("v11=int, 3 more")


@pytest.mark.parametrize(("path", "name"), [("/posts/5", "GET /posts/{id}"), ("/none%0Aline", "(no route)")])
async def test_the_route_is_known_while_it_runs(
    engine: Engine, lines: list[logging.LogRecord], path: str, name: str
) -> None:
    """The line comes at once, before the request has ended, and tells its route template."""
    app = FastAPI()

    @app.get("/posts/{id}")
    async def post(id: int) -> int:
        ask(engine)
        return len(lines)

    app.add_middleware(ObserveMiddleware)
    with observe(engine, slow_ms=0.0):
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app), base_url="http://shop"
        ) as client:
            answer = await client.get(path)
    if name == "(no route)":
        assert (answer.status_code, lines) == (404, [])
    else:
        assert answer.json() == 1
        assert vars(lines[0])["operation"] == name


def test_a_name_has_no_line_breaks(engine: Engine, lines: list[logging.LogRecord]) -> None:
    """A path that was made to forge a line of the log stays within its own."""
    scope = Scope("GET /a\nWARNING forged").enter()
    with observe(engine, slow_ms=0.0):
        ask(engine)
    scope.leave()
    assert lines[0].getMessage().count("\n") == 0


def test_a_silent_logger_costs_no_line(engine: Engine, lines: list[logging.LogRecord]) -> None:
    """Turned off by its level, nothing is made ready for it."""
    slow.log.setLevel(logging.ERROR)
    with observe(engine, slow_ms=0.0):
        run(engine, "SELECT 1")
    assert lines == []
    assert slow._logged == {}


def test_other_engines_are_not_logged(
    engine: Engine, other_engine: Engine, lines: list[logging.LogRecord]
) -> None:
    """What is not observed is not logged."""
    with observe(engine, slow_ms=0.0):
        run(other_engine, "SELECT 1")
    assert lines == []


def test_long_statements_are_short(engine: Engine, lines: list[logging.LogRecord]) -> None:
    """Of a statement with thousands of values a line of some hundred characters is told."""
    with observe(engine, slow_ms=0.0):
        run(
            engine,
            f"SELECT 1 WHERE 1 IN ({', '.join(str(number) for number in range(9000))}) /* {'x' * 9999} */",
        )
    assert len(vars(lines[0])["sql"]) <= 500
    assert "8999" not in lines[0].getMessage()


def test_executemany_has_no_shapes() -> None:
    """Parameters of many rows are not told."""
    assert slow._shapes(None) == ""
    assert slow._shapes(("x", None, [1, 2], {})) == "str(1), null, list(2), dict(0)"
    assert create_engine("sqlite://").dialect.name == "sqlite"
