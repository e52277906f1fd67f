"""Source before and after, for every shape of statement."""

# ruff: noqa: E501 - sources as they are

import textwrap
from pathlib import Path

import pytest

from tests.advisor.fix_lab import fixed

HEAD = """\
from sqlalchemy import select
from sqlalchemy.orm import Session, aliased, joinedload, selectinload, undefer

from shop.models import Author, Comment, Node, Post, Tag

"""
COMMENTS = "selectinload(Post.comments)"
AUTHORS = "selectinload(Post.comments).joinedload(Comment.author)"

SHAPES = {
    "scalars of a select": (
        COMMENTS,
        "def f(s):\n    return s.scalars(select(Post).where(Post.id > 1)).all()§\n",
        "def f(s):\n    return s.scalars(select(Post).options(selectinload(Post.comments)).where(Post.id > 1)).all()\n",
    ),
    "execute, then scalars": (
        COMMENTS,
        "def f(s):\n    return s.execute(select(Post)).scalars().all()§\n",
        "def f(s):\n    return s.execute(select(Post).options(selectinload(Post.comments))).scalars().all()\n",
    ),
    "awaited": (
        COMMENTS,
        "async def f(s):\n    posts = (await s.scalars(select(Post))).all()§\n    return posts\n",
        "async def f(s):\n    posts = (await s.scalars(select(Post).options(selectinload(Post.comments)))).all()\n    return posts\n",
    ),
    "awaited over several lines": (
        AUTHORS,
        """
        async def f(s):
            rows = await§ s.execute(
                select(Post)
                .where(Post.id > 1)  # the first is a test
                .order_by(Post.id)
            )
            return rows.scalars().all()
        """,
        """
        async def f(s):
            rows = await s.execute(
                select(Post)
                .options(selectinload(Post.comments).joinedload(Comment.author))
                .where(Post.id > 1)  # the first is a test
                .order_by(Post.id)
            )
            return rows.scalars().all()
        """,
    ),
    "a comment behind the select": (
        COMMENTS,
        """
        def f(s):
            return s.scalars(§
                select(Post)  # newest first
                # really
                .order_by(Post.id)
            ).all()
        """,
        """
        def f(s):
            return s.scalars(
                select(Post)  # newest first
                # really
                .options(selectinload(Post.comments))
                .order_by(Post.id)
            ).all()
        """,
    ),
    "async for over a stream": (
        COMMENTS,
        "async def f(s):\n    async for p in await s.stream_scalars(select(Post)):§\n        print(p)\n",
        "async def f(s):\n    async for p in await s.stream_scalars(select(Post).options(selectinload(Post.comments))):\n        print(p)\n",
    ),
    "a name bound before": (
        COMMENTS,
        """
        def f(s, q):
            stmt = select(Post)
            if q:
                stmt = stmt.where(Post.title == q)
            stmt = stmt.limit(10)
            return s.scalars(stmt).all()§
        """,
        """
        def f(s, q):
            stmt = select(Post).options(selectinload(Post.comments))
            if q:
                stmt = stmt.where(Post.title == q)
            stmt = stmt.limit(10)
            return s.scalars(stmt).all()
        """,
    ),
    "both branches": (
        COMMENTS,
        """
        def f(s, q):
            if q:
                stmt: object = select(Post).where(Post.title == q)
            else:
                stmt = select(Post)
            return s.scalars(stmt).all()§
        """,
        """
        def f(s, q):
            if q:
                stmt: object = select(Post).options(selectinload(Post.comments)).where(Post.title == q)
            else:
                stmt = select(Post).options(selectinload(Post.comments))
            return s.scalars(stmt).all()
        """,
    ),
    "a branch with another class is left alone": (
        COMMENTS,
        """
        def f(s, q):
            if q:
                stmt = select(Tag)
            else:
                stmt = select(Post)
            return s.scalars(stmt).all()§
        """,
        """
        def f(s, q):
            if q:
                stmt = select(Tag)
            else:
                stmt = select(Post).options(selectinload(Post.comments))
            return s.scalars(stmt).all()
        """,
    ),
    "a name used twice for two statements": (
        COMMENTS,
        """
        def f(s):
            stmt = select(Post).limit(1)
            a = s.scalars(stmt).all()
            stmt = select(Post).limit(2)
            return a + s.scalars(stmt).all()§
        """,
        """
        def f(s):
            stmt = select(Post).limit(1)
            a = s.scalars(stmt).all()
            stmt = select(Post).options(selectinload(Post.comments)).limit(2)
            return a + s.scalars(stmt).all()
        """,
    ),
    "a loop that rebinds": (
        COMMENTS,
        """
        def f(s):
            stmt = select(Post).limit(10)
            while rows := s.scalars(stmt).all():§
                stmt = select(Post).where(Post.id > rows[-1].id).limit(10)
        """,
        """
        def f(s):
            stmt = select(Post).options(selectinload(Post.comments)).limit(10)
            while rows := s.scalars(stmt).all():
                stmt = select(Post).options(selectinload(Post.comments)).where(Post.id > rows[-1].id).limit(10)
        """,
    ),
    "walrus and conditional expression": (
        COMMENTS,
        "def f(s, q):\n    if rows := s.scalars(stmt := select(Post) if q else select(Post).limit(3)).all():§\n        return rows, stmt\n",
        "def f(s, q):\n    if rows := s.scalars(stmt := select(Post).options(selectinload(Post.comments)) if q else select(Post).options(selectinload(Post.comments)).limit(3)).all():\n        return rows, stmt\n",
    ),
    "comprehension": (
        COMMENTS,
        "def f(s):\n    return [len(p.comments) for p in s.scalars(select(Post))]§\n",
        "def f(s):\n    return [len(p.comments) for p in s.scalars(select(Post).options(selectinload(Post.comments)))]\n",
    ),
    "legacy query": (
        COMMENTS,
        "def f(s):\n    return s.query(Post).filter(Post.id > 1).all()§\n",
        "def f(s):\n    return s.query(Post).options(selectinload(Post.comments)).filter(Post.id > 1).all()\n",
    ),
    "legacy query, one link a line": (
        COMMENTS,
        """
        def f(s):
            return (
                s
                .query(Post)
                .filter(Post.id > 1)
                .first()§
            )
        """,
        """
        def f(s):
            return (
                s
                .query(Post)
                .options(selectinload(Post.comments))
                .filter(Post.id > 1)
                .first()
            )
        """,
    ),
    "legacy query with only an end on the next line": (
        COMMENTS,
        "def f(s):\n    return (\n        s.query(Post)\n        .all()§\n    )\n",
        "def f(s):\n    return (\n        s.query(Post)\n        .options(selectinload(Post.comments))\n        .all()\n    )\n",
    ),
    "legacy query iterated": (
        COMMENTS,
        "def f(s):\n    q = s.query(Post)\n    q = q.filter(Post.id > 1)\n    for p in q:§\n        print(p)\n",
        "def f(s):\n    q = s.query(Post).options(selectinload(Post.comments))\n    q = q.filter(Post.id > 1)\n    for p in q:\n        print(p)\n",
    ),
    "legacy query made a list, sliced": (
        COMMENTS,
        "def f(s):\n    q = s.query(Post)\n    return list(q)§\n",
        "def f(s):\n    q = s.query(Post).options(selectinload(Post.comments))\n    return list(q)\n",
    ),
    "legacy query sliced": (
        COMMENTS,
        "def f(s):\n    return s.query(Post)[:10]§\n",
        "def f(s):\n    return s.query(Post).options(selectinload(Post.comments))[:10]\n",
    ),
    "backslashes": (
        COMMENTS,
        "def f(s):\n    return s.query(Post) \\\n        .filter(Post.id > 1) \\\n        .all()§\n",
        "def f(s):\n    return s.query(Post) \\\n        .options(selectinload(Post.comments)) \\\n        .filter(Post.id > 1) \\\n        .all()\n",
    ),
    "flask": (
        COMMENTS,
        "def f():\n    return Post.query.filter_by(id=1).all()§\n",
        "def f():\n    return Post.query.options(selectinload(Post.comments)).filter_by(id=1).all()\n",
    ),
    "get": (
        COMMENTS,
        "def f(s, i):\n    return s.get(Post, i)§\n",
        "def f(s, i):\n    return s.get(Post, i, options=[selectinload(Post.comments)])\n",
    ),
    "get over several lines": (
        COMMENTS,
        "async def f(s, i):\n    return await s.get_one(§\n        Post,\n        i,  # the key\n    )\n",
        "async def f(s, i):\n    return await s.get_one(\n        Post,\n        i,  # the key\n        options=[selectinload(Post.comments)],\n    )\n",
    ),
    "get with options": (
        COMMENTS,
        "def f(s, i):\n    return s.get(Post, i, options=[undefer(Post.body)])§\n",
        "def f(s, i):\n    return s.get(Post, i, options=[undefer(Post.body), selectinload(Post.comments)])\n",
    ),
    "get with a tuple": (
        COMMENTS,
        "def f(s, i):\n    return s.get(Post, i, options=(undefer(Post.body),))§\n",
        "def f(s, i):\n    return s.get(Post, i, options=(undefer(Post.body), selectinload(Post.comments)))\n",
    ),
    "exec of sqlmodel": (
        COMMENTS,
        "def f(s):\n    return s.exec(select(Post)).all()§\n",
        "def f(s):\n    return s.exec(select(Post).options(selectinload(Post.comments))).all()\n",
    ),
    "a library's call that takes the statement": (
        COMMENTS,
        "async def f(s, paginate):\n    return await paginate(s, select(Post).order_by(Post.id))§\n",
        "async def f(s, paginate):\n    return await paginate(s, select(Post).options(selectinload(Post.comments)).order_by(Post.id))\n",
    ),
    "module constant": (
        COMMENTS,
        "STMT = select(Post)\n\n\ndef f(s):\n    return s.scalars(STMT.limit(1)).all()§\n",
        "STMT = select(Post).options(selectinload(Post.comments))\n\n\ndef f(s):\n    return s.scalars(STMT.limit(1)).all()\n",
    ),
    "module constant with other users": (
        COMMENTS,
        "STMT = select(Post)\n\n\ndef f(s):\n    return s.scalars(STMT.limit(1)).all()§\n\n\ndef g(s):\n    return s.scalars(STMT)\n",
        "STMT = select(Post)\n\n\ndef f(s):\n    return s.scalars(STMT.options(selectinload(Post.comments)).limit(1)).all()\n\n\ndef g(s):\n    return s.scalars(STMT)\n",
    ),
    "function that returns the statement": (
        COMMENTS,
        "def base():\n    return select(Post).where(Post.id > 1)\n\n\ndef f(s):\n    return s.scalars(base().limit(1)).all()§\n",
        "def base():\n    return select(Post).where(Post.id > 1)\n\n\ndef f(s):\n    return s.scalars(base().options(selectinload(Post.comments)).limit(1)).all()\n",
    ),
    "method of the same class that returns the statement": (
        COMMENTS,
        "class Repository:\n    def _base(self):\n        return select(Post)\n\n    def all(self):\n        stmt = self._base().limit(1)\n        return self.s.scalars(stmt).all()§\n",
        "class Repository:\n    def _base(self):\n        return select(Post)\n\n    def all(self):\n        stmt = self._base().options(selectinload(Post.comments)).limit(1)\n        return self.s.scalars(stmt).all()\n",
    ),
    "closure": (
        COMMENTS,
        "def f(s):\n    stmt = select(Post)\n\n    def inner():\n        return s.scalars(stmt).all()§\n    return inner()\n",
        "def f(s):\n    stmt = select(Post).options(selectinload(Post.comments))\n\n    def inner():\n        return s.scalars(stmt).all()\n    return inner()\n",
    ),
    "lambda, decorated": (
        COMMENTS,
        "@decorated(1)\nasync def f(s):\n    return await s.run_sync(lambda t: t.scalars(select(Post)).all())§\n",
        "@decorated(1)\nasync def f(s):\n    return await s.run_sync(lambda t: t.scalars(select(Post).options(selectinload(Post.comments))).all())\n",
    ),
    "with block": (
        COMMENTS,
        "def f():\n    with Session() as s:\n        stmt = select(Post)\n    return s.scalars(stmt).all()§\n",
        "def f():\n    with Session() as s:\n        stmt = select(Post).options(selectinload(Post.comments))\n    return s.scalars(stmt).all()\n",
    ),
    "options are merged": (
        COMMENTS,
        "def f(s):\n    return s.scalars(select(Post).options(joinedload(Post.author))).all()§\n",
        "def f(s):\n    return s.scalars(select(Post).options(joinedload(Post.author), selectinload(Post.comments))).all()\n",
    ),
    "options are merged over several lines": (
        COMMENTS,
        """
        def f(s):
            stmt = select(Post).options(
                joinedload(Post.author),  # to-one
            )
            return s.scalars(stmt).all()§
        """,
        """
        def f(s):
            stmt = select(Post).options(
                joinedload(Post.author),  # to-one
                selectinload(Post.comments),
            )
            return s.scalars(stmt).all()
        """,
    ),
    "an option is extended": (
        AUTHORS,
        "def f(s):\n    return s.scalars(select(Post).options(selectinload(Post.comments), undefer(Post.body))).all()§\n",
        "def f(s):\n    return s.scalars(select(Post).options(selectinload(Post.comments).joinedload(Comment.author), undefer(Post.body))).all()\n",
    ),
    "deferred column": (
        "undefer(Post.body)",
        "def f(s):\n    return s.scalars(select(Post)).all()§\n",
        "def f(s):\n    return s.scalars(select(Post).options(undefer(Post.body))).all()\n",
    ),
    "recursion replaces the plain option": (
        "selectinload(Node.children, recursion_depth=-1)",
        "def f(s):\n    return s.scalars(select(Node).options(selectinload(Node.children))).all()§\n",
        "def f(s):\n    return s.scalars(select(Node).options(selectinload(Node.children, recursion_depth=-1))).all()\n",
    ),
    "for update": (
        "joinedload(Post.author)",
        "def f(s):\n    return s.scalars(select(Post).with_for_update()).all()§\n",
        "def f(s):\n    return s.scalars(select(Post).options(selectinload(Post.author)).with_for_update()).all()\n",
    ),
    "alias": (
        AUTHORS,
        "def f(s):\n    p = aliased(Post)\n    return s.scalars(select(p).where(p.id > 1)).all()§\n",
        "def f(s):\n    p = aliased(Post)\n    return s.scalars(select(p).options(selectinload(p.comments).joinedload(Comment.author)).where(p.id > 1)).all()\n",
    ),
    "a subclass is spelled as itself": (
        "selectinload(Author.posts)",
        "class Editor(Author): ...\n\n\ndef f(s):\n    return s.scalars(select(Editor)).all()§\n",
        "class Editor(Author): ...\n\n\ndef f(s):\n    return s.scalars(select(Editor).options(selectinload(Editor.posts))).all()\n",
    ),
    "subclasses": (
        "selectin_polymorphic(Author, [Tag]).options(selectinload(Tag.posts))",
        "from sqlalchemy.orm import selectin_polymorphic as poly\n\n\ndef f(s):\n    return s.scalars(select(Author)).all()§\n",
        "from sqlalchemy.orm import selectin_polymorphic as poly\n\n\ndef f(s):\n    return s.scalars(select(Author).options(poly(Author, [Tag]).options(selectinload(Tag.posts)))).all()\n",
    ),
    "a group of deferred columns": (
        "undefer_group('media')",
        "from sqlalchemy.orm import undefer_group\n\n\ndef f(s):\n    return s.scalars(select(Author)).all()§\n",
        "from sqlalchemy.orm import undefer_group\n\n\ndef f(s):\n    return s.scalars(select(Author).options(undefer_group('media'))).all()\n",
    ),
    "below a relation that the mapping loads": (
        "defaultload(Author.posts).selectinload(Post.comments)",
        "from sqlalchemy.orm import defaultload\n\n\ndef f(s):\n    return s.scalars(select(Author)).all()§\n",
        "from sqlalchemy.orm import defaultload\n\n\ndef f(s):\n    return s.scalars(select(Author).options(defaultload(Author.posts).selectinload(Post.comments))).all()\n",
    ),
    "an option of a subclass does not extend that of its parent": (
        "defaultload(Author.posts.of_type(Node)).selectinload(Node.children)",
        "from sqlalchemy.orm import defaultload\n\n\ndef f(s):\n    return s.scalars(select(Author).options(selectinload(Author.posts))).all()§\n",
        "from sqlalchemy.orm import defaultload\n\n\ndef f(s):\n    return s.scalars(select(Author).options(selectinload(Author.posts), defaultload(Author.posts.of_type(Node)).selectinload(Node.children))).all()\n",
    ),
    "two entities": (
        COMMENTS,
        "def f(s):\n    return s.execute(select(Author, Post).join(Post)).all()§\n",
        "def f(s):\n    return s.execute(select(Author, Post).options(selectinload(Post.comments)).join(Post)).all()\n",
    ),
    "a subquery inside is left alone": (
        COMMENTS,
        "def f(s):\n    return s.scalars(select(Post).where(Post.id.in_(select(Comment.post_id)))).all()§\n",
        "def f(s):\n    return s.scalars(select(Post).options(selectinload(Post.comments)).where(Post.id.in_(select(Comment.post_id)))).all()\n",
    ),
    "two statements on one line, told apart by class": (
        COMMENTS,
        "def f(s):\n    return s.scalars(select(Post)).all(), s.scalars(select(Tag)).all()§\n",
        "def f(s):\n    return s.scalars(select(Post).options(selectinload(Post.comments))).all(), s.scalars(select(Tag)).all()\n",
    ),
    "tabs and odd blanks": (
        COMMENTS,
        "def f( s ):\n\tx=s . scalars( select( Post ) .where( Post.id>1 ) )§ ;y = 1\n\treturn x,y\n",
        "def f( s ):\n\tx=s . scalars( select( Post ).options(selectinload(Post.comments)) .where( Post.id>1 ) ) ;y = 1\n\treturn x,y\n",
    ),
    "select under another name": (
        COMMENTS,
        "from sqlalchemy import select as pick\ndef f(s):\n    return s.scalars(pick(Post).limit(3)).all()§\n",
        "from sqlalchemy import select as pick\ndef f(s):\n    return s.scalars(pick(Post).options(selectinload(Post.comments)).limit(3)).all()\n",
    ),
    "the class by its module, beside the class itself": (
        COMMENTS,
        "from shop import models as m\ndef f(s):\n    return s.scalars(select(m.Post)).all()§\n",
        "from shop import models as m\ndef f(s):\n    return s.scalars(select(m.Post).options(selectinload(m.Post.comments))).all()\n",
    ),
    "the same option in a branch": (
        COMMENTS,
        "def f(s, x):\n    q = select(Post)\n    if x:\n        q = q.options(selectinload(Post.comments))\n    return s.scalars(q).all()§\n",
        "def f(s, x):\n    q = select(Post).options(selectinload(Post.comments))\n    if x:\n        q = q.options(selectinload(Post.comments))\n    return s.scalars(q).all()\n",
    ),
    "options of a constant": (
        COMMENTS,
        "MORE = [joinedload(Post.author)]\ndef f(s):\n    return s.scalars(select(Post).options(*MORE)).all()§\n",
        "MORE = [joinedload(Post.author)]\ndef f(s):\n    return s.scalars(select(Post).options(*MORE, selectinload(Post.comments))).all()\n",
    ),
    "no newline at the end": (
        COMMENTS,
        "def f(s): return s.scalars(select(Post)).all()§",
        "def f(s): return s.scalars(select(Post).options(selectinload(Post.comments))).all()",
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_shape(tmp_path: Path, shape: str) -> None:
    """Each shape of statement gets its option where a person would put it; a second run changes nothing."""
    cure, before, after = SHAPES[shape]
    (tmp_path / "pyproject.toml").write_text("[tool.ruff]\nline-length = 400\n")
    result = fixed(tmp_path, HEAD + textwrap.dedent(before), cure)
    assert result == HEAD + textwrap.dedent(after)


@pytest.mark.parametrize("shape", SHAPES)
def test_windows_line_ends(tmp_path: Path, shape: str) -> None:
    """A file with CRLF keeps CRLF, in the new lines as well."""
    cure, before, after = SHAPES[shape]
    (tmp_path / "pyproject.toml").write_text("[tool.ruff]\nline-length = 400\n")
    result = fixed(tmp_path, (HEAD + textwrap.dedent(before)).replace("\n", "\r\n"), cure)
    assert result == (HEAD + textwrap.dedent(after)).replace("\n", "\r\n")


def test_long_line_is_wrapped(tmp_path: Path) -> None:
    """An option that would make the line longer than the project allows goes on a line of its own."""
    (tmp_path / "pyproject.toml").write_text("[tool.black]\nline-length = 60\n")
    after = fixed(
        tmp_path, HEAD + "def f(s):\n    return s.scalars(select(Post).limit(20)).all()§\n", AUTHORS
    )
    assert after.endswith(
        "def f(s):\n"
        "    return s.scalars(select(Post).options(\n"
        "        selectinload(Post.comments).joinedload(Comment.author),\n"
        "    ).limit(20)).all()\n"
    )


def test_long_get_is_wrapped(tmp_path: Path) -> None:
    """The same for the options of get()."""
    (tmp_path / "pyproject.toml").write_text("[tool.ruff]\nline-length = 60\n")
    after = fixed(tmp_path, HEAD + "def f(s):\n    return s.get(Post, 1)§\n", AUTHORS)
    assert after.endswith(f"    return s.get(Post, 1, options=[\n        {AUTHORS},\n    ])\n")


def test_several_cures_of_one_statement(tmp_path: Path) -> None:
    """Cures that another one covers are left out; the others share one options()."""
    source = HEAD + "def f(s):\n    return s.scalars(select(Post)).all()§\n"
    (tmp_path / "pyproject.toml").write_text("[tool.ruff]\nline-length = 400\n")
    after = fixed(tmp_path, source, COMMENTS, AUTHORS, "joinedload(Post.author)", COMMENTS)
    options = f"select(Post).options({AUTHORS}, joinedload(Post.author))"
    assert after == source.replace("§", "").replace("select(Post)", options)


def test_two_statements_of_one_function(tmp_path: Path) -> None:
    """Each line gets its own option, although the first edit moves what follows."""
    (tmp_path / "pyproject.toml").write_text("[tool.ruff]\nline-length = 400\n")
    source = (
        HEAD + "def f(s):\n    a = s.scalars(select(Post)).all()§\n    b = s.scalars(select(Post)).all()§\n"
    )
    after = fixed(tmp_path, source, COMMENTS, "joinedload(Post.author)")
    assert "a = s.scalars(select(Post).options(selectinload(Post.comments))).all()\n" in after
    assert "b = s.scalars(select(Post).options(joinedload(Post.author))).all()\n" in after


def test_cures_of_two_entities(tmp_path: Path) -> None:
    """Cures that start from different classes of one statement share one options(), each with its own root."""
    (tmp_path / "pyproject.toml").write_text("[tool.ruff]\nline-length = 400\n")
    source = HEAD + "def f(s):\n    return s.execute(select(Author, Post)).all()§\n"
    after = fixed(tmp_path, source, COMMENTS, "selectinload(Author.posts)")
    assert f"select(Author, Post).options({COMMENTS}, selectinload(Author.posts))" in after
