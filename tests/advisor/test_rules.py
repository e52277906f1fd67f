"""The rules: thresholds and words on evidence made by hand, then advice on a workload that was run."""

import asyncio
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine, ForeignKey, create_engine, func, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from pitstop import Pitstop
from pitstop.advisor.evidence import Evidence, diagnose, gather
from pitstop.advisor.finding import Finding
from pitstop.advisor.thresholds import Thresholds
from pitstop.postgres.address import psycopg_url
from pitstop.postgres.catalog import Catalog, Table
from pitstop.postgres.catalog import ForeignKey as UnindexedKey
from pitstop.postgres.statements import StatementStats
from pitstop.servers import Servers, create_database, drop_database
from pitstop.store import NPlusOneTotals, Observations, ScopeTotals, StatementTotals, read_store

QUERY = ("/shop/api.py", 10, "posts")
LINE = ("/shop/api.py", 12, "posts")


def judge(
    *records: Any, tables: tuple[Table, ...] = (), keys: tuple[UnindexedKey, ...] = (), **more: Any
) -> list[Finding]:
    """Findings on totals, and on a catalog when there is something for it."""
    observations = Observations()
    for each in records:
        if isinstance(each, ScopeTotals):
            observations.scopes[each.kind, each.name] = each
        elif isinstance(each, StatementTotals):
            observations.statements[each.scope_kind, each.scope, each.fingerprint, each.location] = each
        else:
            what = (each.kind, each.parent, each.relationship, each.query_location, each.location)
            observations.n_plus_one[(each.scope_kind, each.scope, *what)] = each
    statements: tuple[StatementStats, ...] = more.pop("statements", ())
    return diagnose(Evidence(observations, Catalog(keys, tables, statements), Thresholds(**more)))


def lazy(**changes: Any) -> NPlusOneTotals:
    """An N+1 of twenty statements in each of ten requests."""
    given: dict[str, Any] = {
        **{"scope_kind": "request", "scope": "GET /posts", "kind": "lazy-load", "parent": "Post"},
        **{"relationship": "comments", "query_location": QUERY, "location": LINE, "is_expression": True},
        **{"cure": "selectinload(Post.comments)", "requests": 10, "extra": 200, "max_extra": 30},
        **{"total_ms": 100.0, "last_seen": 5.0, **changes},
    }
    return NPlusOneTotals(**given)


def route(ms: float, *, count: int = 20, kind: str = "request", statements: int = 0) -> ScopeTotals:
    totals = ScopeTotals(kind, "GET /posts", count, total_ms=ms * count, max_ms=ms, statements=statements)
    for _ in range(count):
        totals.latency.add(ms)
    return totals


def statement(**changes: Any) -> StatementTotals:
    given = {"scope_kind": "request", "scope": "GET /posts", "fingerprint": "f1", "location": LINE}
    return StatementTotals(
        **{**given, "text": "SELECT 1", "calls": 10, "total_ms": 10.0, "rows": 10, **changes}
    )


@pytest.mark.parametrize(("extra", "severity"), [(199, "warning"), (200, "critical")])
def test_many_extra_statements_are_critical(extra: int, severity: str) -> None:
    """From twenty extra statements a request on average an N+1 is critical."""
    (finding,) = judge(lazy(extra=extra))
    assert (finding.rule, finding.severity) == ("n-plus-one", severity)


def test_an_n_plus_one_is_told_whole() -> None:
    """Subject, cost, share of requests, both lines and the facts that a program needs."""
    (finding,) = judge(lazy(), route(5.0))
    assert finding.subject == "Post.comments"
    assert finding.how_often == "20 extra statements a time in GET /posts, 10 of 20 requests"
    assert finding.cost == "200 extra statements, 100.0 ms in them (10.0 ms a time)"
    assert (finding.location, finding.query_location, finding.cost_ms) == (LINE, QUERY, 100.0)
    assert (finding.details["count"], finding.details["seen"]) == (30, 5.0)


def test_one_query_in_two_routes_is_one_finding() -> None:
    """A shared query is to be cured once; the costlier route stands first."""
    (finding,) = judge(lazy(), lazy(scope="GET /feed", total_ms=300.0))
    assert finding.details["routes"] == ["GET /feed", "GET /posts"]
    assert finding.cost_ms == 400.0
    assert "GET /feed and 1 more, 20 requests" in finding.how_often


def test_other_queries_and_cures_are_other_findings() -> None:
    """The same relationship at another query has its own cure."""
    found = judge(lazy(), lazy(query_location=("/shop/feed.py", 3, "feed")), lazy(relationship="author"))
    assert len(found) == 3


@pytest.mark.parametrize(
    ("kind", "relationship", "what"),
    [
        ("lazy-load", "comments", "Post.comments is loaded one Post at a time"),
        ("column-load", "body", "Post.body is loaded one row at a time"),
        ("column-load", "", "Post is loaded again one row at a time"),
        ("repeated-statement", "", "the same statement on Post runs again and again with another value"),
    ],
)
def test_each_kind_has_its_sentence(kind: str, relationship: str, what: str) -> None:
    """What happens is said in words of its kind."""
    (finding,) = judge(lazy(kind=kind, relationship=relationship))
    assert finding.what == what


@pytest.mark.parametrize(("ms", "found"), [(300.0, 0), (700.0, 1)])
def test_a_slow_route_is_above_the_limit(ms: float, found: int) -> None:
    """The p95 decides, and the limit can be chosen."""
    assert len(judge(route(ms))) == found
    assert len(judge(route(ms), slow_request_ms=ms * 2)) == 0
    assert [each.rule for each in judge(route(ms), slow_request_ms=ms / 2)] == ["slow-route"]


def test_one_slow_request_of_few_makes_no_slow_route() -> None:
    """Of few requests half must be slow, because the first one often is."""
    first, all_of_them = route(10.0, count=10), route(700.0, count=10)
    first.latency.add(700.0)
    first.count, first.max_ms = 11, 700.0
    assert judge(first) == []
    assert [each.what for each in judge(all_of_them)] == [
        "GET /posts answers in 700 ms or more for one request in two"
    ]


def test_a_slow_route_with_many_statements_points_to_them() -> None:
    """The cure of a route with ten statements a request is to cure those."""
    (few,), (many,) = judge(route(6_000.0, statements=20)), judge(route(6_000.0, statements=200))
    assert "slowest statements" in few.cure
    assert "N+1" in many.cure
    assert few.severity == many.severity == "critical"


def test_only_requests_are_slow_routes() -> None:
    """A script may take its time."""
    assert judge(route(9_000.0, kind="process"), route(9_000.0, kind="operation")) == []


@pytest.mark.parametrize(
    ("rows", "calls", "severity"),
    [(9_990, 10, None), (10_000, 10, "warning"), (100_000, 10, "critical"), (-1, 10, None)],
)
def test_large_results(rows: int, calls: int, severity: str | None) -> None:
    """A thousand rows a call are a finding, ten thousand a critical one; unknown ones are none."""
    found = judge(statement(rows=rows, calls=calls))
    assert [(each.rule, each.severity) for each in found] == (
        [("large-result", severity)] if severity else []
    )


def test_a_script_may_load_a_table() -> None:
    """Only requests are judged by the rows that they load."""
    assert judge(statement(scope_kind="process", rows=1_000_000)) == []


def test_a_slow_statement_is_told_once() -> None:
    """From two lines and from the database, one statement is one finding, at its costliest line."""
    other = ("/shop/feed.py", 3, "feed")
    row = StatementStats("f1", "SELECT 1", 20, 9_000.0, 450.0, 900.0, 0)
    (finding,) = judge(
        statement(total_ms=2_000.0, max_ms=300.0),
        statement(total_ms=4_000.0, max_ms=700.0, location=other),
        statements=(row,),
    )
    assert (finding.rule, finding.location, finding.details["calls"]) == ("slow-statement", other, 20)
    assert (finding.details["mean_ms"], finding.details["max_ms"]) == (300.0, 700.0)


def test_a_slow_statement_of_somebody_else() -> None:
    """What only the database has seen is told without a line."""
    (finding,) = judge(statements=(StatementStats("f2", "SELECT  2", 5, 600.0, 120.0, 200.0, 0),))
    assert (finding.location, finding.how_often) == (None, "5 times (pg_stat_statements)")
    assert judge(statements=(StatementStats("f2", "SELECT 2", 5, 450.0, 90.0, 200.0, 0),)) == []


@pytest.mark.parametrize(("rows", "scans", "found"), [(9_999, 50, 0), (10_000, 9, 0), (10_000, 10, 1)])
def test_sequential_scans(rows: int, scans: int, found: int) -> None:
    """A large table that is read whole ten times is a finding."""
    assert len(judge(tables=(Table("posts", rows, scans, rows * scans, 0),))) == found


def test_an_unindexed_foreign_key_brings_its_ddl() -> None:
    """The cure is the statement to execute."""
    (finding,) = judge(keys=(UnindexedKey("c_fkey", "comments", "posts", ("post_id",), 5_000, 7),))
    assert finding.cure == finding.details["ddl"] == "CREATE INDEX CONCURRENTLY ON comments (post_id)"
    assert (finding.subject, finding.severity) == ("comments(post_id)", "warning")


def test_the_worst_comes_first() -> None:
    """Critical before warning, and within each the costliest first."""
    found = judge(
        lazy(extra=10, total_ms=5_000.0),
        lazy(relationship="author", total_ms=1.0),
        route(700.0),
        keys=(UnindexedKey("c_fkey", "comments", "posts", ("post_id",), 5_000, 7),),
    )
    order = [(each.severity, each.cost_ms) for each in found]
    assert order == [("critical", 1.0), ("warning", 14_000.0), ("warning", 5_000.0), ("warning", 0.0)]


class Base(DeclarativeBase):
    """The registry of the workload."""


class Post(Base):
    """Thirty of them."""

    __tablename__ = "rules_post"
    id: Mapped[int] = mapped_column(primary_key=True)
    comments: Mapped[list["Comment"]] = relationship()


class Comment(Base):
    """A hundred for each post, found without an index."""

    __tablename__ = "rules_comment"
    id: Mapped[int] = mapped_column(primary_key=True)
    post_id: Mapped[int] = mapped_column(ForeignKey("rules_post.id"))


def shop(engine: Engine) -> FastAPI:
    """An application as such backends are written."""
    app = FastAPI()

    @app.get("/posts")
    def posts() -> list[int]:
        with Session(engine) as session:
            return [len(post.comments) for post in session.scalars(select(Post))]

    @app.get("/count")
    def count() -> int:
        with Session(engine) as session:
            return len(session.scalars(select(Comment)).all())

    @app.get("/report/{id}")
    def report(id: int) -> int:
        with engine.connect() as connection:
            return len(connection.execute(text("SELECT :id, pg_sleep(0.15)"), {"id": id}).all())

    @app.get("/fine")
    def fine() -> int:
        with engine.connect() as connection:
            return connection.execute(select(func.count()).select_from(Post)).scalar_one()

    return app


@pytest.fixture(scope="module")
def workload_url(pitstop_servers: Servers) -> Iterator[str]:
    """A filled database for the workload."""
    name = f"rules_{uuid.uuid4().hex[:16]}"  # each worker of a parallel run has its own
    url = psycopg_url(create_database(pitstop_servers.database_url, name))
    engine = create_engine(url)
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(text("CREATE EXTENSION IF NOT EXISTS pg_stat_statements"))
        connection.execute(text("INSERT INTO rules_post SELECT generate_series(1, 30)"))
        connection.execute(
            text("INSERT INTO rules_comment SELECT n, n % 30 + 1 FROM generate_series(1, 3000) AS n")
        )
    engine.dispose()
    yield url
    drop_database(pitstop_servers.database_url, name)


@pytest.fixture(scope="module")
def advice(workload_url: str, tmp_path_factory: pytest.TempPathFactory) -> list[Finding]:
    """What is found after some requests."""
    store = tmp_path_factory.mktemp("record")
    engine = create_engine(workload_url)
    app = shop(engine)

    async def drive() -> None:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            for path in ("/posts", "/posts", "/count", "/report/1", "/report/2", "/fine"):
                assert (await client.get(path)).status_code == 200

    with Pitstop(app, engine=engine, store=store):
        asyncio.run(drive())
    engine.dispose()  # the server counts what a connection did when it ends
    assert read_store(store).scopes["request", "GET /posts"].statements == 62
    limits = Thresholds(slow_request_ms=140.0, scanned_rows=2_000)
    return diagnose(gather(store, database_url=workload_url, thresholds=limits))


def of(advice: list[Finding], rule: str) -> list[Finding]:
    return [finding for finding in advice if finding.rule == rule]


def line_of(part: str) -> int:
    lines = Path(__file__).read_text("utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if part in line)


def test_the_workload_has_an_n_plus_one(advice: list[Finding]) -> None:
    """The lazy relationship is found first, critical, at its line, with the loader that cures it."""
    (finding,) = of(advice, "n-plus-one")
    line = line_of("len(post.comments)")
    assert advice[0] is finding
    assert (finding.subject, finding.severity, finding.cure) == (
        "Post.comments",
        "critical",
        "selectinload(Post.comments)",
    )
    assert finding.location == finding.query_location == (__file__, line, "posts")
    assert (finding.details["count"], finding.details["routes"]) == (30, ["GET /posts"])


def test_the_workload_loads_a_table_to_count_it(advice: list[Finding]) -> None:
    """The statement that brings three thousand rows is found at its line."""
    (finding,) = of(advice, "large-result")
    assert (finding.subject, finding.details["rows_per_call"]) == ("GET /count", 3_000)
    assert finding.location == (__file__, line_of("select(Comment)).all()"), "count")


def test_the_workload_has_a_slow_statement(advice: list[Finding]) -> None:
    """It is found once, though the application and the database both saw it, with two calls."""
    found = [each for each in of(advice, "slow-statement") if "pg_sleep" in each.what]
    assert [(each.details["calls"], each.location) for each in found] == [
        (2, (__file__, line_of("pg_sleep(0.15)"), "report"))
    ]


def test_the_workload_has_a_slow_route(advice: list[Finding]) -> None:
    """The route of the slow statement is above the limit; the fine one is not."""
    routes = [finding.subject for finding in of(advice, "slow-route")]
    assert "GET /report/{id}" in routes
    assert "GET /fine" not in routes


def test_the_workload_lacks_an_index(advice: list[Finding]) -> None:
    """The foreign key that every lazy load scans along is found, and so are the scans."""
    (key,), (scan,) = of(advice, "unindexed-foreign-key"), of(advice, "sequential-scan")
    assert key.cure == "CREATE INDEX CONCURRENTLY ON rules_comment (post_id)"
    assert scan.subject == "rules_comment"
    assert scan.details["seq_scans"] >= 60


def test_the_cure_holds(workload_url: str) -> None:
    """With the index that the advice asks for, neither the key nor new scans are found."""
    engine = create_engine(workload_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("CREATE INDEX CONCURRENTLY ON rules_comment (post_id)"))
        found = diagnose(gather("/nowhere", database_url=workload_url))
        connection.execute(text("DROP INDEX rules_comment_post_id_idx"))
    engine.dispose()
    assert of(found, "unindexed-foreign-key") == []


def test_other_routes_that_run_the_query_are_named() -> None:
    """A cure that other routes would pay for says so; the routes that need it are not among them."""
    places = {"GET /posts": QUERY, "GET /brief": QUERY, "GET /users": LINE}
    statements = [StatementTotals("request", name, "f", place, "", calls=1) for name, place in places.items()]
    (finding,) = judge(lazy(), *statements)
    assert finding.details["also_in"] == ["GET /brief"]


def test_other_statements_of_the_same_line_are_not_the_query() -> None:
    """A function that is handed its statements runs many on one line; only the same one counts."""
    routes = {"GET /posts": "posts", "GET /users": "users"}
    statements = [StatementTotals("request", name, f, QUERY, "", calls=1) for name, f in routes.items()]
    (finding,) = judge(lazy(), *statements)
    assert finding.details["also_in"] == []
