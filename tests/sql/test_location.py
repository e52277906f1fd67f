"""Location: the user's own line on the stack, and the way that led there."""

import asyncio
import importlib
import inspect
import subprocess
import sys
import sysconfig
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.util import await_only, greenlet_spawn

from pitstop import count_queries, location
from pitstop.location import NOWHERE, Location, Site, find_site
from pitstop.web import ObserveMiddleware

HERE = __file__
PACKAGE = """\
from pitstop.location import find_site

found = []

def ask():
    found.append(find_site(1))
"""


def here() -> Site:
    """The site of the caller of this function's caller, as a hook asks for it."""
    return find_site(2)


def line_of(label: str) -> int:
    lines = Path(HERE).read_text("utf-8").splitlines()
    (number,) = [number for number, line in enumerate(lines, 1) if line.endswith(f"# <{label}>")]
    return number


def place(site: Site) -> tuple[int, str]:
    assert site.location is not None
    assert site.location.file == HERE
    return site.location.line, site.location.function


def at(filename: str, *, line: int = 1) -> Site:
    """What is found from code that a file holds, called from here."""
    names: dict[str, Site] = {}
    source = "\n" * (line - 1) + "site = find_site(1)"
    exec(compile(source, filename, "exec"), {"find_site": find_site}, names)  # <at>
    return names["site"]


def test_a_plain_call() -> None:
    """The line that calls, in the function that it stands in."""
    site = here()  # <plain>
    assert place(site) == (line_of("plain"), "test_a_plain_call")


class Shop:
    """Code in a class."""

    def browse(self) -> Site:
        return here()  # <method>


def test_functions_of_every_kind() -> None:
    """Methods go by their name; comprehensions, lambdas and generators by the function around them."""
    name = "test_functions_of_every_kind"
    assert place(Shop().browse()) == (line_of("method"), "browse")
    assert place({here() for _ in "a"}.pop()) == (line_of("comprehension"), name)  # <comprehension>
    asked = [lambda: here()]  # <lambda>
    assert place(asked[0]()) == (line_of("lambda"), name)
    assert place(next(here() for _ in "a")) == (line_of("generator"), name)  # <generator>

    def inner() -> Site:
        return here()  # <inner>

    assert place(inner()) == (line_of("inner"), "inner")


def test_a_module_has_no_function(tmp_path: Path) -> None:
    """Code at the top of a script is in <module>, also its comprehensions."""
    script = tmp_path / "script.py"
    script.write_text(
        "from pitstop.location import find_site\n"
        "print(*find_site(1).location)\n"
        "print(*[find_site(1).location for _ in 'a'][0])\n"
        "print(*(lambda: find_site(1).location)())\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines() == [f"{script} {line} <module>" for line in (2, 3, 4)]


async def test_asynchronous_code() -> None:
    """In a coroutine the line of the innermost await of the user's."""

    async def query() -> Site:
        await asyncio.sleep(0)
        return here()  # <coroutine>

    async def rows() -> AsyncIterator[Site]:
        yield here()  # <asynchronous generator>

    assert place(await query()) == (line_of("coroutine"), "query")
    assert place(await asyncio.create_task(query())) == (line_of("coroutine"), "query")
    assert [place(each) async for each in rows()] == [(line_of("asynchronous generator"), "rows")]


async def test_statements_across_the_greenlet(async_engine: AsyncEngine) -> None:
    """Behind SQLAlchemy's greenlet the awaiting line is found, with run_sync the synchronous one."""

    def inside(connection: object) -> None:
        connection.execute(text("SELECT 2"))  # type: ignore[attr-defined]  # <run_sync>

    async def outside(connection: AsyncConnection) -> None:
        await connection.execute(text("SELECT 1"))  # <await>

    async with async_engine.connect() as connection:
        with count_queries(async_engine) as queries:
            await outside(connection)
            await connection.run_sync(inside)
    found = [each.location for each in queries.statements]
    assert found == [(HERE, line_of("await"), "outside"), (HERE, line_of("run_sync"), "inside")]


async def test_greenlets_within_greenlets() -> None:
    """Each greenlet's parent is searched in turn, until a line of the user's is found."""

    async def leaf() -> Site:
        return find_site(1)

    def middle() -> Site:
        return await_only(leaf())

    assert place(await greenlet_spawn(middle))[1] == "leaf"


def run_alone(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Site, Path]:
    """What an installed package finds in a thread where nobody else's code is on the stack."""
    packages = tmp_path / "lib" / "site-packages"
    packages.mkdir(parents=True)
    (packages / f"{name}.py").write_text(PACKAGE)
    monkeypatch.syspath_prepend(packages)
    package = importlib.import_module(name)
    thread = threading.Thread(target=package.ask)
    thread.start()
    thread.join()
    del sys.modules[name]
    return package.found[0], packages / f"{name}.py"


def test_an_application_may_be_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no code of the user's own, that of a package which is no infrastructure is."""
    site, file = run_alone(tmp_path, "pitstop_test_shop", monkeypatch)
    assert site.location == (str(file), 6, "ask")


def test_infrastructure_is_never_the_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where only a driver or server is on the stack, there is no line to show."""
    site, _ = run_alone(tmp_path, "uvicorn_worker", monkeypatch)
    assert site == NOWHERE


STDLIB = sysconfig.get_paths()["stdlib"]


@pytest.mark.parametrize(
    "filename",
    [
        "<string>",
        "<frozen importlib._bootstrap>",
        f"{STDLIB}/asyncio/nothing.py",
        "/venv/lib/python3.11/site-packages/sqlalchemy/orm/nothing.py",
        "/usr/lib/python3/dist-packages/starlette/nothing.py",
        "/venv/lib/python3.11/site-packages/six.py",
        "/venv/lib/python3.11/site-packages/shop/api.py",
        str(Path(location.__file__).parent / "nothing.py"),
    ],
)
def test_code_of_others_is_passed_over(filename: str) -> None:
    """The standard library, installed packages, generated code and this package are not the user's."""
    assert place(at(filename)) == (line_of("at"), "at")


@pytest.mark.parametrize(
    "filename",
    ["/srv/shop/api.py", "<stdin>", "<ipython-input-7>", "/srv/site-packages-of-ours/api.py", "api.py"],
)
def test_code_of_the_user(filename: str) -> None:
    """Files anywhere else, and what is typed at a prompt."""
    assert at(filename, line=3).location == (filename, 3, "<module>")


def test_code_that_is_gone_lends_its_line_to_nobody() -> None:
    """Code that was freed, as a notebook's cell that ran again, is not taken for what came in its place."""
    found = [at("/srv/shop/cell.py", line=line) for line in range(1, 50)]
    assert [site.location.line for site in found if site.location] == [*range(1, 50)]


def test_the_server_behind_the_middleware_is_not_searched() -> None:
    """What stands outside of the middleware has not caused the statement."""
    assert at(inspect.getfile(ObserveMiddleware)) == NOWHERE


def test_visits_of_one_line_are_told_from_two_lines() -> None:
    """A loop visits one site; another line, or another way to the same line, is another site."""

    def query() -> Site:
        return here()

    looped = {query().stack for _ in range(3)}
    first, second = query(), query()
    assert len(looped) == 1
    assert first.location == second.location
    assert len({first.stack, second.stack, *looped}) == 3


def test_a_deep_stack_of_a_library_ends_the_search() -> None:
    """Lines that stand far outside, with only a library between, do not tell one visit from another."""
    names: dict[str, Callable[[int, Callable[[], Site]], Site]] = {}
    source = "def call(depth, work):\n    return call(depth - 1, work) if depth else work()"
    exec(compile(source, f"{STDLIB}/asyncio/nothing.py", "exec"), names)

    def query() -> Site:
        return here()

    near = {names["call"](1, query).stack, names["call"](1, query).stack}
    far = {names["call"](30, query).stack, names["call"](30, query).stack}
    assert (len(near), len(far)) == (2, 1)


def test_known_sites_are_bounded() -> None:
    """An application that makes ever new code does not fill the memory."""
    codes = [compile("find_site(1)", "/srv/shop/made.py", "exec") for _ in range(location._MAX_SITES + 500)]
    for code in codes:
        exec(code, {"find_site": find_site})
    assert len(location._sites) <= location._MAX_SITES


def test_a_location_reads_like_one() -> None:
    """It is a plain tuple, and prints as editors know it."""
    assert Location("/srv/shop/api.py", 7, "posts") == ("/srv/shop/api.py", 7, "posts")
    assert str(Location("/srv/shop/api.py", 7, "posts")) == "/srv/shop/api.py:7 in posts"
