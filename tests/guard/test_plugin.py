"""The plugin in a suite of a user's own: what is counted, what fails, and what a failure says."""

import subprocess
import sys

import pytest

from tests.guard.conftest import Suite

pytest_plugins = "pytester"


def lines(result: pytest.RunResult) -> str:
    return "\n".join(result.outlines)


def test_a_failure_is_told_in_plain_words(suite: Suite) -> None:
    """Limit and count, statements by line, the N+1 with cure and query line; no traceback."""
    result = suite("@pytest.mark.max_queries(2)\ndef test_authors(engine): authors(engine)\n")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "5 statements, 3 more than max_queries(2) allows",
            "*Book.author is loaded one Book at a time: 4 extra statements, * ms",
            "  line   shop.py:* in authors",
            "  query  shop.py:* in authors",
            "  cure   .options(joinedload(Book.author))",
            "*from shop import Book",
            "FAILED test_shop.py::test_authors - Failed: 5 statements*",
        ]
    )
    result.stdout.re_match_lines_random(
        [r" +4x +\d+\.\d ms  shop.py:\d+ in authors", r" +1x +\d+\.\d ms  shop.py:\d+ in authors"]
    )
    result.stdout.re_match_lines_random([r" +SELECT authors\.id .*FROM authors WHERE authors\.id = \?"])
    assert "site-packages" not in lines(result)
    assert "pitstop" not in lines(result).replace("plugins: ", "").partition("collected")[2]


def test_only_the_call_is_counted(suite: Suite) -> None:
    """Fixtures, set-up and tear-down of every kind execute freely, also of a TestCase, sync or async."""
    result = suite(
        """
import unittest


@pytest.fixture(autouse=True)
def around(engine):
    once(engine)
    yield
    once(engine)


@pytest.mark.max_queries(1)
def test_plain(engine): once(engine)


class TestPlain:
    def setup_method(self): once(create_engine("sqlite://", creator=None)) if False else None

    @pytest.mark.max_queries(1)
    def test_it(self, engine): once(engine)


class Case(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def engine_of(self, engine): self.engine = engine

    def setUp(self):
        self.engine_of_set_up = once(self.engine)

    def tearDown(self): once(self.engine)

    @pytest.mark.max_queries(1)
    def test_case(self): once(self.engine)


class AsyncCase(unittest.IsolatedAsyncioTestCase):
    @pytest.fixture(autouse=True)
    def engine_of(self, engine, queries): self.engine, self.queries = engine, queries

    async def asyncSetUp(self): once(self.engine)

    @pytest.mark.max_queries(1)
    async def test_async_case(self):
        once(self.engine)
        self.assertEqual(self.queries.count, 1)
"""
    )
    result.assert_outcomes(passed=4)


def test_several_requests_of_a_test_are_no_n_plus_one(suite: Suite) -> None:
    """A test that asks for one book after another passes; a list with an N+1 in it fails."""
    result = suite(
        """
from fastapi import FastAPI
from fastapi.testclient import TestClient


@pytest.fixture
def client(engine):
    app = FastAPI()

    @app.get("/books/{number}")
    def book(number: int):
        with Session(engine) as session:
            return session.get(Book, number).author.id

    @app.get("/books")
    def books(): return authors(engine)

    return TestClient(app)


def test_books(client):
    assert [client.get(f"/books/{number}").json() for number in (1, 2, 3, 4)] == [1, 2, 3, 4]


def test_list(client):
    assert client.get("/books").json() == client.get("/books").json()
""",
        "--fail-on-n-plus-one",
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*Book.author is loaded one Book at a time: 8 extra statements, * ms"])


def test_everything_beside_the_test_is_counted(suite: Suite) -> None:
    """Threads, event loops, every engine, and an application behind Starlette's TestClient."""
    result = suite(
        """
import asyncio, threading
from fastapi import FastAPI
from fastapi.testclient import TestClient

app = FastAPI()
other = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})


@pytest.fixture(scope="module")
def client(engine):
    @app.get("/one")
    async def one(): return len(once(engine))

    @app.get("/two")
    def two(): return len(once(engine)) + len(once(engine))

    with TestClient(app) as client:
        yield client


@pytest.mark.max_queries(2)
def test_client(client): client.get("/one"), client.get("/two")


@pytest.mark.max_queries(1)
def test_threads(engine):
    threads = [threading.Thread(target=once, args=(engine,)) for _ in range(2)]
    for each in threads: each.start()
    for each in threads: each.join()


@pytest.mark.max_queries(1)
def test_loops(engine):
    async def ask(): return await asyncio.to_thread(once, engine)
    asyncio.run(ask()), asyncio.run(ask())


@pytest.mark.max_queries(1)
def test_engines(engine):
    fill(other)


@pytest.mark.asyncio
@pytest.mark.max_queries(1)
async def test_asyncio(engine, queries):
    once(engine), once(engine)


@pytest.mark.anyio
@pytest.mark.max_queries(1)
async def test_anyio(engine, anyio_backend):
    once(engine), once(engine)


@pytest.fixture
def anyio_backend(): return "asyncio"
"""
    )
    result.assert_outcomes(failed=6)
    for said in (
        "3 statements, 1 more than max_queries(2)",
        *["2 statements, 1 more than max_queries(1)"] * 2,
    ):
        assert said in lines(result)


def test_the_closest_mark_counts(suite: Suite) -> None:
    """A function's mark goes before its class's, that before its module's; parameters may have their own."""
    result = suite(
        """
pytestmark = pytest.mark.max_queries(0)


def test_module(engine): once(engine)


@pytest.mark.max_queries(1)
class TestClass:
    def test_class(self, engine): once(engine)

    @pytest.mark.max_queries(limit=0)
    def test_function(self, engine): once(engine)


@pytest.mark.parametrize("times", [0, pytest.param(1, marks=pytest.mark.max_queries(1)), 2])
def test_parameters(engine, times):
    for _ in range(times): once(engine)
""",
        "-rfp",
    )
    result.assert_outcomes(passed=3, failed=3)
    passed = {line.split()[1] for line in result.outlines if line.startswith("PASSED")}
    assert {name.partition("::")[2] for name in passed} == {
        "TestClass::test_class",
        "test_parameters[0]",
        "test_parameters[1]",
    }


def test_a_test_keeps_its_own_end(suite: Suite) -> None:
    """Failed, skipped and expected to fail stay so; going beyond the limit can be expected as well."""
    result = suite(
        """
import unittest
pytestmark = pytest.mark.max_queries(0)


def test_fails(engine):
    once(engine)
    assert "own" == "failure"


def test_skips(engine):
    once(engine)
    pytest.skip("for a reason")


@pytest.mark.xfail
def test_expected(engine): once(engine)


@pytest.mark.xfail(strict=True)
def test_strict(engine): once(engine)


class Case(unittest.TestCase):
    def test_fails(self):
        once(create_engine("sqlite://")) if False else None
        self.fail("own failure of the case")

    @unittest.skip("not now")
    def test_skips(self): pass

    @unittest.expectedFailure
    def test_expected(self): self.fail("expected")
"""
    )
    result.assert_outcomes(failed=2, skipped=2, xfailed=3)
    result.stdout.fnmatch_lines(["*assert 'own' == 'failure'", "*own failure of the case"])
    assert "max_queries(0) allows" not in lines(result)


def test_the_fixture_counts_the_call(suite: Suite) -> None:
    """It tells all while the test runs; reset begins anew; asked for late, it counts from there."""
    result = suite(
        """
@pytest.fixture
def arranged(queries, engine):
    once(engine)
    assert queries.count == 0


def test_counts(arranged, queries, engine):
    once(engine)
    assert (queries.count, len(queries.statements), queries.n_plus_one) == (1, 1, [])
    queries.reset()
    assert queries.count == 0
    authors(engine)
    assert queries.count == 5
    assert [str(each.relationship) for each in queries.n_plus_one] == ["author"]


def test_late(request, engine):
    once(engine)
    queries = request.getfixturevalue("queries")
    once(engine)
    assert queries.count == 1


@pytest.fixture
def later(queries): yield queries


@pytest.fixture(scope="module")
def seen(): return []


def test_ends(queries, seen, engine): seen.append(queries)


def test_ended(seen, engine):
    once(engine)
    assert seen[0].count == 0
"""
    )
    result.assert_outcomes(passed=4)


N_PLUS_ONE = """
def test_loop(engine): authors(engine)


def test_one(engine): once(engine)


@pytest.mark.allow_n_plus_one
def test_allowed(engine): authors(engine)


@pytest.mark.allow_n_plus_one("Book.author")
def test_allowed_by_name(engine): authors(engine)


@pytest.mark.allow_n_plus_one("Book.shop")
def test_other_name(engine): authors(engine)
"""


@pytest.mark.parametrize(
    ("options", "ini", "failed"),
    [
        ((), "", 0),
        (("--fail-on-n-plus-one",), "", 2),
        (("--fail-on-n-plus-one", "--allow-n-plus-one", "Shelf.*", "--allow-n-plus-one=Book.*"), "", 0),
        (("--allow-n-plus-one", "*/shop.py"), "fail_on_n_plus_one = true\n", 0),
        ((), "fail_on_n_plus_one = true\nallow_n_plus_one =\n    Shelf.*\n    Author.*\n", 2),
        (("-n", "2"), "fail_on_n_plus_one = true\n", 2),
    ],
    ids=["off", "option", "allowed", "file allowed", "ini", "xdist"],
)
def test_n_plus_one(suite: Suite, options: tuple[str, ...], ini: str, failed: int) -> None:
    """Options and ini file alike fail every test with an N+1 that no pattern allows, in workers too."""
    result = suite(N_PLUS_ONE, *options, ini=ini)
    result.assert_outcomes(passed=5 - failed, failed=failed)
    if failed:
        result.stdout.fnmatch_lines(
            ["N+1: Book.author, 4 extra statements", "*cure   .options(joinedload(Book.author))"]
        )


BAD = """
@pytest.mark.max_queries("3")
def test_text(): pass


@pytest.mark.max_queries
def test_nothing(): pass


@pytest.mark.max_queries(-1)
def test_negative(): pass


@pytest.mark.max_queries(most=3)
def test_name(): pass


@pytest.mark.allow_n_plus_one(7)
def test_number(): pass
"""


def test_bad_marks_are_usage_errors(suite: Suite) -> None:
    """Each is named with its test and what to write, before any test runs."""
    result = suite(BAD)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            "ERROR: test_shop.py::test_text: max_queries('3') takes a whole number, 0 or more: write @*(3)",
            "ERROR: test_shop.py::test_nothing: max_queries() takes one number: write @*max_queries(3)",
            "ERROR: test_shop.py::test_negative: max_queries(-1) takes a whole number*",
            "ERROR: test_shop.py::test_name: max_queries(most=3) takes one number*",
            "ERROR: test_shop.py::test_number: allow_n_plus_one(7) takes patterns*",
        ]
    )


def test_bad_marks_in_workers(suite: Suite) -> None:
    """With pytest-xdist each is an error of its test, in the same words."""
    result = suite(BAD, "-n", "2")
    result.assert_outcomes(errors=5)
    result.stdout.fnmatch_lines(["max_queries('3') takes a whole number, 0 or more*"])


def test_it_works_without_the_plugins_for_asyncio(suite: Suite) -> None:
    """Nothing of pytest-asyncio, anyio or xdist is needed; marks are known to --strict-markers."""
    source = "@pytest.mark.max_queries(1)\ndef test_once(engine): once(engine)\n"
    without = [option for name in ("asyncio", "anyio", "xdist", "timeout") for option in ("-p", f"no:{name}")]
    result = suite(
        source, "--strict-markers", *without, "-o", "asyncio_default_fixture_loop_scope=", "-W", "ignore"
    )
    result.assert_outcomes(passed=1)


def test_postgresql_through_asyncpg(suite: Suite, database_url: str) -> None:
    """On PostgreSQL with an asynchronous engine the statements of the endpoint's own loop are counted."""
    result = suite(
        f"""
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine


@pytest.mark.asyncio
@pytest.mark.max_queries(2)
async def test_loop():
    engine = create_async_engine({database_url!r})
    async with engine.connect() as connection:
        for number in range(3):
            await connection.execute(text("SELECT :number + 1"), {{"number": number}})
    await engine.dispose()
"""
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "3 statements, 1 more than max_queries(2) allows",
            "*3x *test_shop.py:* in test_loop",
            "the same statement on * runs again and again with another value: 3 extra statements*",
        ]
    )


def test_pytest_starts_without_sqlalchemy() -> None:
    """Loading the plugin imports neither SQLAlchemy nor FastAPI nor pydantic."""
    program = (
        "import sys, pitstop.guard.plugin\n"
        "print(sorted({'sqlalchemy', 'fastapi', 'pydantic', 'starlette', 'sqlite3'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
