"""Plans and their writing: what is promised, bytes that stay, all files or none."""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pitstop.advisor.fix import FileFix, plan_fixes, write_fixes
from pitstop.errors import FixError, FixRefused
from tests.advisor.fix_lab import MARK, cures_at, marked, planned, write

SOURCE = """\
from sqlalchemy import select
from sqlalchemy.orm import selectinload
from shop.models import Comment, Post


def f(s):
    return s.scalars(select(Post)).all()§
"""
COMMENTS = "selectinload(Post.comments)"


def test_promise(tmp_path: Path) -> None:
    """The plan says how many statements were seen and how many will be left."""
    plan = planned(tmp_path, SOURCE, COMMENTS, f"{COMMENTS}.joinedload(Comment.author)", count=110)
    (fix,) = plan
    assert (fix.before, fix.after) == (221, 2)
    assert fix.options == ("selectinload(Post.comments).joinedload(Comment.author)",)


def test_promise_of_a_load_on_the_way(tmp_path: Path) -> None:
    """One post's comments were one lazy load, no N+1 by itself; the cure of their authors saves it, too."""
    (fix,) = planned(tmp_path, SOURCE, f"{COMMENTS}.joinedload(Comment.author)", count=5)
    assert (fix.before, fix.after) == (7, 2)
    loaded = SOURCE.replace("select(Post)", "select(Post).options(selectinload(Post.comments))")
    (fix,) = planned(tmp_path, loaded, f"{COMMENTS}.joinedload(Comment.author)", count=5)
    assert (fix.before, fix.after) == (7, 2)


def test_promise_of_subclasses(tmp_path: Path) -> None:
    """What several subclasses of one relationship need is one statement, and promised as one."""
    cures = (
        "selectinload(Post.comments)",
        "selectinload(Post.comments.of_type(Praise)).undefer(Praise.stars)",
        "selectinload(Post.comments.of_type(Spam)).undefer(Spam.score)",
    )
    line = "from shop.models import Comment, Post, Praise, Spam"
    orm = "from sqlalchemy.orm import selectinload, undefer"
    (fix,) = planned(tmp_path, SOURCE, *cures, imports=(orm, line), count=10)
    assert (fix.before, fix.after) == (31, 2)


def test_diff_applies(tmp_path: Path) -> None:
    """The diff is one that ``git apply`` takes, also for CRLF and a missing last newline."""
    for text in (SOURCE, SOURCE.replace("\n", "\r\n"), SOURCE.rstrip("\n")):
        plan = planned(tmp_path, text, COMMENTS)
        subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=plan.diff.encode(), check=True)
        assert (tmp_path / "shop/api.py").read_bytes() == plan.files[0].data


def test_encoding_and_mode(tmp_path: Path) -> None:
    """Encoding, byte-order mark and file mode stay."""
    source, lines = marked("# coding: latin-1\n# \xe9t\xe9\n" + SOURCE)
    path = write(tmp_path, "")
    path.write_bytes(source.encode("latin-1"))
    path.chmod(0o750)
    write_fixes(plan_fixes(cures_at(path, lines, COMMENTS), root=tmp_path).files)
    assert b"\xe9t\xe9\n" in path.read_bytes()
    assert b".options(selectinload(Post.comments))" in path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o750
    source, lines = marked(SOURCE)
    path.write_bytes(b"\xef\xbb\xbf" + source.encode())
    write_fixes(plan_fixes(cures_at(path, lines, COMMENTS), root=tmp_path).files)
    assert path.read_bytes().startswith(b"\xef\xbb\xbffrom sqlalchemy import select\n")


def test_symbolic_link(tmp_path: Path) -> None:
    """A linked file is changed where it lives; the link stays."""
    plan = planned(tmp_path, SOURCE, COMMENTS)
    target = tmp_path / "shop/api.py"
    link = tmp_path / "link.py"
    link.symlink_to(target)
    linked = FileFix(
        link, plan.files[0].before, plan.files[0].after, plan.files[0].data, plan.files[0].digest
    )
    write_fixes([linked])
    assert link.is_symlink()
    assert target.read_bytes() == plan.files[0].data


def test_changed_between_plan_and_write(tmp_path: Path) -> None:
    """A file that changed after the plan was made is not overwritten."""
    plan = planned(tmp_path, SOURCE, COMMENTS)
    path = write(tmp_path, "mine = 1\n")
    with pytest.raises(FixRefused, match="changed after the plan was made"):
        write_fixes(plan.files)
    assert path.read_text() == "mine = 1\n"


def test_all_or_none(tmp_path: Path) -> None:
    """When one file cannot be written, those before it are as they were, and nothing is left behind."""
    source, lines = marked(SOURCE)
    paths = [write(tmp_path, source, name=name) for name in ("a/x.py", "b/x.py")]
    plan = plan_fixes([cure for path in paths for cure in cures_at(path, lines, COMMENTS)], root=tmp_path)
    first, second = plan.files
    # a name as long as the file system allows leaves no room for the temporary file's
    long = second.path.with_name("x" * 252 + ".py")
    second.path.rename(long)
    moved = FileFix(long, second.before, second.after, second.data, second.digest)
    with pytest.raises(FixError, match="no file was changed"):
        write_fixes([first, moved])
    assert first.path.read_text() == long.read_text() == source
    assert [each.name for each in tmp_path.rglob("*.tmp")] == []
    assert os.listdir(tmp_path / "a") == ["x.py"]


LINES = st.sampled_from(
    [
        "    x = {  'a':1 }   # odd",
        "\tif 0: pass" if False else "    if 0 :  pass",
        '    t = """\n  select(Post)\n\t"""',
        "",
        "    # select(Post).options(...)",
        "    y = s.scalars(select(Comment)).all();z=2",
        "    d = '\xe9t\xe9 \u4e2d' ",
        "    w = s.scalars( select( Post ) . where( Post.id>1 ) ).all()" + MARK,
        "    for p in s.query(Post).filter(Post.id>2 ): print( p )" + MARK,
        "    q = (s.query(Post) # why\n      .filter(Post.id>2 )\n      .all()" + MARK + " )",
        "    g = s.get( Post,3, )" + MARK,
    ]
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(LINES, min_size=1, max_size=8), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_untouched_lines_and_idempotence(
    tmp_path: Path, body: list[str], newline: str, imported: bool
) -> None:
    """Lines without a cure stay byte for byte, in order, and fixing what is fixed changes nothing."""
    head = ["from sqlalchemy import select", "from shop.models import Comment, Post"]
    head += ["from sqlalchemy.orm import selectinload"] * imported
    text = newline.join(
        [*head, "def f(s):", *(each.replace("\n", newline) for each in body), "    return 1", ""]
    )
    source, lines = marked(text, dedent=False)
    path = write(tmp_path, source)
    cures = cures_at(path, lines, *[COMMENTS] * len(lines)) if lines else []
    plan = plan_fixes(cures, root=tmp_path)
    assert not plan.refusals
    write_fixes(plan.files)
    after = path.read_bytes().decode().split("\n")
    rest = iter(after)
    untouched = [line for number, line in enumerate(source.split("\n"), 1) if number not in lines]
    assert all(any(line == other for other in rest) for line in untouched)
    assert all(line.endswith("\r") for line in after[:-1]) or newline == "\n"
    again = plan_fixes(cures, root=tmp_path)
    assert not again.files
    assert not again.refusals
