"""The ``pitstop fix`` command, as a real process."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.advisor.fix_lab import marked, write

SOURCE = """\
from sqlalchemy import select
from sqlalchemy.orm import selectinload
from shop.models import Post


def f(s):
    return s.scalars(select(Post)).all()§


def g(s, stmt):
    return s.scalars(stmt).all()§
"""
FIXED = "select(Post).options(selectinload(Post.comments))"


def finding(path: str, line: int, **changes: Any) -> dict[str, Any]:
    return {
        "rule": "n-plus-one",
        "kind": "lazy-load",
        "parent": "Post",
        "relationship": "comments",
        "count": 100,
        "location": [path, line, "f"],
        "query_location": [path, line, None],
        "cure": "selectinload(Post.comments)",
        "imports": ["from sqlalchemy.orm import selectinload", "from shop.models import Post"],
        **changes,
    }


def pitstop(cwd: Path, *arguments: str, findings: list[dict[str, Any]] | None = None) -> tuple[int, str, str]:
    text = json.dumps({"findings": findings}) if findings is not None else ""
    command = [sys.executable, "-c", "from pitstop.cli import main; main()", "fix", *arguments]
    done = subprocess.run(
        command, cwd=cwd, input=text, capture_output=True, text=True, check=False, timeout=60
    )
    return done.returncode, done.stdout, done.stderr


def project(root: Path) -> tuple[Path, list[int]]:
    source, lines = marked(SOURCE)
    return write(root, source), lines


def test_diff_then_write_then_nothing(tmp_path: Path) -> None:
    """The diff is shown with exit code 1, --write applies it with 0, a second run finds nothing to fix."""
    path, lines = project(tmp_path)
    findings = [finding(str(path), lines[0])]
    code, out, _ = pitstop(tmp_path, "--findings", "-", findings=findings)
    assert code == 1
    assert f"+    return s.scalars({FIXED}).all()" in out
    assert "would fix shop/api.py:7  101 -> 2 statements" in out
    assert FIXED not in path.read_text()
    code, out, _ = pitstop(tmp_path, "--findings", "-", "--write", findings=findings)
    assert (code, FIXED in path.read_text()) == (0, True)
    assert "1 file written" in out
    code, out, _ = pitstop(tmp_path, "--findings", "-", findings=findings)
    assert code == 0
    assert "already cured shop/api.py:7" in out
    assert "nothing to fix" in out


def test_json(tmp_path: Path) -> None:
    """--json tells the plan: fixes with what they promise, refusals with the cure to apply by hand."""
    path, lines = project(tmp_path)
    findings = [finding(str(path), line) for line in lines] + [
        {"rule": "slow-statement", "cure": "add an index"}
    ]
    code, out, _ = pitstop(tmp_path, "--findings", "-", "--json", findings=findings)
    plan = json.loads(out)
    assert code == 1
    assert [(each["before"], each["after"]) for each in plan["fixes"]] == [(101, 2)]
    assert [(each["line"], each["cure"]) for each in plan["refused"]] == [(11, "selectinload(Post.comments)")]
    assert "stmt is a parameter" in plan["refused"][0]["reason"]
    assert plan["written"] is False
    assert plan["diff"].startswith("--- a/shop/api.py\n")


def test_refusals_are_left_over(tmp_path: Path) -> None:
    """What has to be done by hand keeps the exit code at 1, advice without a loader option does not."""
    path, lines = project(tmp_path)
    code, out, _ = pitstop(tmp_path, "--findings", "-", "--write", findings=[finding(str(path), lines[1])])
    assert code == 1
    assert "by hand shop/api.py:11" in out
    advice = finding(str(path), lines[1], cure="set expire_on_commit=False", kind="column-load")
    code, out, _ = pitstop(tmp_path, "--findings", "-", findings=[advice])
    assert code == 0
    assert "set expire_on_commit=False" in out


def test_findings_of_another_machine(tmp_path: Path) -> None:
    """Findings made elsewhere are matched by the end of their path, and files can be chosen."""
    path, lines = project(tmp_path)
    findings = [finding("/app/src/shop/api.py", lines[0])]
    code, out, _ = pitstop(tmp_path, "--findings", "-", "shop", findings=findings)
    assert code == 1
    assert FIXED in out
    write(tmp_path, "", name="other.py")
    assert pitstop(tmp_path, "--findings", "-", "other.py", findings=findings)[0] == 0
    assert FIXED not in path.read_text()


def test_errors_are_one_line(tmp_path: Path) -> None:
    """A findings file that is absent or holds something else is one line on stderr and exit code 2."""
    write(tmp_path, "[1", name="bad.json")
    for arguments, words in (
        (("--findings", "gone.json"), "cannot read findings from gone.json"),
        (("--findings", "bad.json"), "bad.json holds no findings"),
        (("--findings", "-", "gone.py"), "there is no file"),
    ):
        code, out, error = pitstop(tmp_path, *arguments, findings=[])
        assert (code, out) == (2, "")
        assert words in " ".join(error.split())
        assert "Traceback" not in error
