"""How fixed files spell classes and loaders, and the imports that fixes add."""

# ruff: noqa: E501 - sources as they are

import textwrap
from pathlib import Path

import pytest

from tests.advisor.fix_lab import fixed, planned

AUTHORS = "selectinload(Post.comments).joinedload(Comment.author)"
BODY = "\n\ndef f(s):\n    return s.scalars(select(Post)).all()§\n"

IMPORTS = {
    "missing names are added below their kin": (
        "import os\nfrom sqlalchemy import select\nfrom shop.models import Post\nimport zlib\n",
        "import os\nfrom sqlalchemy import select\nfrom sqlalchemy.orm import selectinload\nfrom shop.models import Comment, Post\nimport zlib\n",
        AUTHORS,
    ),
    "names join a list in its order": (
        "from sqlalchemy import select\nfrom sqlalchemy.orm import Session, joinedload\nfrom shop.models import Author, Post\n",
        "from sqlalchemy import select\nfrom sqlalchemy.orm import Session, joinedload, selectinload\nfrom shop.models import Author, Comment, Post\n",
        AUTHORS,
    ),
    "names join a list over several lines": (
        "from sqlalchemy import select\nfrom sqlalchemy.orm import (\n    Session,\n    undefer,  # rare\n)\nfrom shop.models import (\n    Author,\n    Post)\n",
        "from sqlalchemy import select\nfrom sqlalchemy.orm import (\n    Session,\n    selectinload,\n    undefer,  # rare\n)\nfrom shop.models import (\n    Author,\n    Comment,\n    Post)\n",
        AUTHORS,
    ),
    "module attributes": (
        "from sqlalchemy import orm, select\nfrom shop import models\n",
        "from sqlalchemy import orm, select\nfrom shop import models\n",
        "orm.selectinload(models.Post.comments).joinedload(models.Comment.author)",
    ),
    "renamed modules": (
        "import sqlalchemy as sa\nimport sqlalchemy.orm as so\nimport shop.models as m\n",
        "import sqlalchemy as sa\nimport sqlalchemy.orm as so\nimport shop.models as m\n",
        "so.selectinload(m.Post.comments).joinedload(m.Comment.author)",
    ),
    "dotted modules": (
        "import sqlalchemy.orm\nimport shop.models\nfrom sqlalchemy import select\n",
        "import sqlalchemy.orm\nimport shop.models\nfrom sqlalchemy import select\n",
        "sqlalchemy.orm.selectinload(shop.models.Post.comments).joinedload(shop.models.Comment.author)",
    ),
    "renamed class and loader": (
        "from sqlalchemy import select\nfrom sqlalchemy.orm import selectinload as sil\nfrom shop.models import Comment as C, Post as P\n",
        "from sqlalchemy import select\nfrom sqlalchemy.orm import selectinload as sil\nfrom shop.models import Comment as C, Post as P\n",
        "sil(P.comments).joinedload(C.author)",
    ),
    "the bare name means something else": (
        "from sqlalchemy import select\nfrom shop.models import Post\nfrom shop.schemas import Comment\n",
        "from sqlalchemy import select\nfrom sqlalchemy.orm import selectinload\nfrom shop.models import Comment as CommentModel, Post\nfrom shop.schemas import Comment\n",
        "selectinload(Post.comments).joinedload(CommentModel.author)",
    ),
    "a class of the same name is defined below": (
        "from sqlalchemy import select\nfrom shop.models import Post as PostModel\n\n\nclass Post:\n    pass\n",
        "from sqlalchemy import select\nfrom sqlalchemy.orm import selectinload\nfrom shop.models import Comment, Post as PostModel\n\n\nclass Post:\n    pass\n",
        "selectinload(PostModel.comments).joinedload(Comment.author)",
    ),
    "not below TYPE_CHECKING": (
        "from __future__ import annotations\nfrom typing import TYPE_CHECKING\nfrom sqlalchemy import select\nfrom shop.models import Post\nif TYPE_CHECKING:\n    from shop.models import Comment\n",
        "from __future__ import annotations\nfrom typing import TYPE_CHECKING\nfrom sqlalchemy import select\nfrom sqlalchemy.orm import selectinload\nfrom shop.models import Comment, Post\nif TYPE_CHECKING:\n    from shop.models import Comment\n",
        AUTHORS,
    ),
    "relative where the file is relative": (
        "from sqlalchemy import select\nfrom .models import Post\n",
        "from sqlalchemy import select\nfrom sqlalchemy.orm import selectinload\nfrom .models import Comment, Post\n",
        AUTHORS,
    ),
    "relative module": (
        "from sqlalchemy import select\nfrom . import models as m\n",
        "from sqlalchemy import select\nfrom sqlalchemy.orm import selectinload\nfrom . import models as m\n",
        "selectinload(m.Post.comments).joinedload(m.Comment.author)",
    ),
    "star import": (
        "from sqlalchemy import select\nfrom shop.models import *\nfrom shop.models import Post\n",
        "from sqlalchemy import select\nfrom sqlalchemy.orm import selectinload\nfrom shop.models import *\nfrom shop.models import Post\n",
        AUTHORS,
    ),
    "loader shadowed": (
        "from sqlalchemy import select\nfrom shop.models import Comment, Post\nselectinload = 3\n",
        "from sqlalchemy import select\nfrom sqlalchemy.orm import selectinload as selectinload_\nfrom shop.models import Comment, Post\nselectinload = 3\n",
        "selectinload_(Post.comments).joinedload(Comment.author)",
    ),
    "docstring and a conditional import": (
        '"""Doc."""\n\ntry:\n    from sqlalchemy import select\nexcept ImportError:\n    from sqlalchemy.future import select\nfrom shop.models import Comment, Post\n',
        '"""Doc."""\n\ntry:\n    from sqlalchemy import select\nexcept ImportError:\n    from sqlalchemy.future import select\nfrom shop.models import Comment, Post\nfrom sqlalchemy.orm import selectinload\n',
        AUTHORS,
    ),
}


@pytest.mark.parametrize("case", IMPORTS)
def test_imports(tmp_path: Path, case: str) -> None:
    """The file's own spelling wins, and only what is missing is imported, where it belongs."""
    (tmp_path / "pyproject.toml").write_text("[tool.ruff]\nline-length = 400\n")
    before, after, option = IMPORTS[case]
    root = (
        option.split("load", 1)[1].removeprefix("_").lstrip("(").split(".comments")[0]
        if "sil" not in option
        else "P"
    )
    select = "sa.select" if "as sa\n" in before else "select"
    body = BODY.replace("select(Post)", f"{select}({root})")
    result = fixed(tmp_path, before + body, AUTHORS)
    expected = body.replace("§", "").replace(f"select({root})", f"select({root}).options({option})")
    assert result == after + expected


def test_models_in_the_same_file(tmp_path: Path) -> None:
    """A module never imports from itself."""
    source = """
        from sqlalchemy import select
        from sqlalchemy.orm import selectinload

        class Comment: ...
        class Post: ...

        def f(s):
            return s.scalars(select(Post)).all()§
    """
    (tmp_path / "pyproject.toml").write_text("[tool.ruff]\nline-length = 400\n")
    after = fixed(tmp_path, source, AUTHORS, name="shop/models.py")
    assert after.count("import") == 2
    assert f"select(Post).options({AUTHORS})" in after


def test_script(tmp_path: Path) -> None:
    """Classes of a script (``__main__``) are known there; a class that lives nowhere else is refused."""
    source = "from sqlalchemy import select\nclass Post: ...\nclass Comment: ...\ns.scalars(select(Post))§\n"
    after = fixed(tmp_path, source, AUTHORS, name="run.py", imports=("from __main__ import Comment, Post",))
    assert after.startswith("from sqlalchemy import select\nfrom sqlalchemy.orm import selectinload\n")
    plan = planned(
        tmp_path,
        source.replace("class Comment: ...\n", ""),
        AUTHORS,
        imports=("from __main__ import Comment",),
    )
    assert not plan.files
    assert "Comment is not known in the file" in plan.refusals[0].reason


def test_local_import(tmp_path: Path) -> None:
    """Names join the import inside the function where the file imports there."""
    source = textwrap.dedent("""\
        def f(s):
            from sqlalchemy import select
            from shop.models import Post
            return s.scalars(select(Post)).all()§
        """)
    (tmp_path / "pyproject.toml").write_text("[tool.ruff]\nline-length = 400\n")
    assert fixed(tmp_path, source, AUTHORS) == textwrap.dedent(f"""\
        from sqlalchemy.orm import selectinload

        def f(s):
            from sqlalchemy import select
            from shop.models import Comment, Post
            return s.scalars(select(Post).options({AUTHORS})).all()
        """)


def test_nothing_imported_above_a_decorator(tmp_path: Path) -> None:
    """In a file without imports the first one goes above the first definition and its decorators."""
    source = "#!/bin/python\n\n@dec\ndef f(s):\n    from shop.models import select, Post\n    return s.scalars(select(Post)).all()§\n"
    after = fixed(tmp_path, source, "selectinload(Post.comments)")
    assert after.startswith("#!/bin/python\n\nfrom sqlalchemy.orm import selectinload\n\n@dec\ndef f(s):\n")


def test_relative_line(tmp_path: Path) -> None:
    """A new import line is relative where the file imports relatively from that package."""
    source = "from sqlalchemy import select\nfrom .models.post import Post\n" + BODY
    imports = ("from shop.models.post import Post", "from shop.models.comment import Comment")
    after = fixed(tmp_path, source, AUTHORS, imports=imports)
    assert "from .models.post import Post\nfrom .models.comment import Comment\n" in after


def test_reexported_names(tmp_path: Path) -> None:
    """A package that re-exports the class is used as the file uses it."""
    (tmp_path / "shop" / "models").mkdir(parents=True)
    (tmp_path / "shop" / "models" / "__init__.py").write_text(
        "from .post import Post\nfrom .comment import Comment\n"
    )
    (tmp_path / "pyproject.toml").write_text("[tool.ruff]\nline-length = 400\n")
    imports = ("from shop.models.post import Post", "from shop.models.comment import Comment")
    source = "from sqlalchemy import select\nfrom sqlalchemy.orm import selectinload\nfrom shop.models import Post\n"
    after = fixed(tmp_path, source + BODY, AUTHORS, imports=imports)
    assert after.startswith(source.replace("import Post", "import Comment, Post"))
    source = (
        "from sqlalchemy import select\nfrom sqlalchemy.orm import selectinload\nfrom shop import models\n"
    )
    body = BODY.replace("Post", "models.Post")
    after = fixed(tmp_path, source + body, AUTHORS, imports=imports)
    assert "selectinload(models.Post.comments).joinedload(models.Comment.author)" in after


def test_alias_keeps_its_targets(tmp_path: Path) -> None:
    """Below an alias only the first class is the alias; the loaded class is spelled as itself."""
    source = """
        from sqlalchemy import select
        from sqlalchemy.orm import aliased, selectinload
        from shop.models import Node

        def f(s):
            top = aliased(Node)
            return s.scalars(select(top)).all()§
    """
    after = fixed(tmp_path, source, "selectinload(Node.children).selectinload(Node.children)")
    assert (
        "select(top).options(\n" in after or "selectinload(top.children).selectinload(Node.children)" in after
    )
