"""The documentation's examples run: each page is one program, run as a newcomer would run it.

The quickstart is more than its Python: ``test_quickstart`` goes through it.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.markdown import DOCS, ROOT, Fence, fences

PAGES = sorted(
    page
    for page in (ROOT / "README.md", *DOCS.glob("how-to/*.md"), *DOCS.glob("rooms/*.md"))
    if any(fence.language == "python" for fence in fences(page.read_text("utf-8")))
)
NOT_RUN = "# not run: "  # in the first line of a block, followed by the reason
# Starlette's test client warns of the version of httpx, whoever uses it.
# What a project with pytest-asyncio has in its configuration.
ASYNCIO = ("-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function")
WARNINGS = ("-W", "error", "-W", "ignore:Using `httpx`:DeprecationWarning")


def examples(page: Path) -> list[Fence]:
    return [
        each
        for each in fences(page.read_text("utf-8"))
        if each.language == "python" and not each.text.startswith(NOT_RUN)
    ]


def write(page: Path, directory: Path) -> Path:
    """Write the examples of a page as one program, whose lines have the numbers they have in the page."""
    lines: list[str] = []
    for each in examples(page):
        lines += [""] * (each.line - 1 - len(lines)) + each.text.splitlines()
    program = directory / f"{page.stem.replace('-', '_').lower()}_page.py"
    program.write_text("\n".join(lines) + "\n", "utf-8")
    return program


def run(arguments: list[str], directory: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment |= {"PITSTOP_STORE": str(directory / "record"), "PYTHONPATH": str(directory)}
    done = subprocess.run(
        [sys.executable, *WARNINGS, *arguments],
        cwd=directory,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page(page: Path, tmp_path: Path) -> None:
    """The Python blocks of a page run in order, without a warning; tests among them pass."""
    program = write(page, tmp_path)
    if "def test_" not in program.read_text("utf-8"):
        run([str(program)], tmp_path)
        return
    run(["-m", "pytest", "-q", "-c", os.devnull, f"--rootdir={tmp_path}", *ASYNCIO, str(program)], tmp_path)


@pytest.mark.parametrize("page", [*DOCS.rglob("*.md"), ROOT / "README.md"], ids=lambda page: page.name)
def test_reasons(page: Path) -> None:
    """A block that is not run says why."""
    for each in fences(page.read_text("utf-8")):
        first = each.text.partition("\n")[0]
        assert not first.startswith("# not run") or len(first) > len(NOT_RUN) + 10, f"{page}:{each.line}"
