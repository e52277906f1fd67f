"""The blog's database: the same rows every time, once, at any scale."""

import hashlib
import tracemalloc
from itertools import islice

import pytest

from pitstop.errors import SettingsError
from pitstop_services.blog import seed as seeding
from pitstop_services.blog.seed import migrate, seed
from pitstop_services.blog.structure import read_structure
from tests.services.database import ask


def test_rows_are_the_same_every_time() -> None:
    """The generated rows hash to what they always did; a change here changes every measurement."""
    digest = hashlib.sha256()
    for table in seeding._tables(read_structure(), 2):
        for row in table.rows:
            digest.update(repr(row).encode())
    assert digest.hexdigest() == "ccc895fd051b90c41997f900c17bb20f77488c81f7286357763046aa90185707"


def test_what_is_odd_in_the_data_stays(database_url: str) -> None:
    """The seeded rows are the data's: sizes, lengths, posts and comments without an author, user -1."""
    assert ask(database_url, "SELECT count(*), count(*) FILTER (WHERE id = -1) FROM users") == [(6863, 1)]
    assert ask(
        database_url,
        "SELECT count(*), count(*) FILTER (WHERE is_published), count(*) FILTER (WHERE author_id IS NULL),"
        " sum(length(body)), max(length(body)) FROM posts",
    ) == [(3471, 3306, 27, 2_875_105, 16416)]
    assert ask(
        database_url,
        "SELECT count(*), count(*) FILTER (WHERE author_id IS NULL), min(length(body)) FROM comments",
    ) == [(3509, 50, 15)]


def test_seeding_again_changes_nothing(database_url: str) -> None:
    """A database that has the rows is left alone; another scale on top of them is refused."""
    assert seed(database_url) == 0
    with pytest.raises(SettingsError, match="has 6863 users already, scale 2 would give 13726"):
        seed(database_url, scale=2)
    with pytest.raises(SettingsError, match="scale 0 cannot be seeded"):
        seed(database_url, scale=0)
    assert ask(database_url, "SELECT count(*) FROM posts") == [(3471,)]


def test_copies_keep_the_structure(empty_url: str) -> None:
    """Scale 2 repeats every row once, moved in id and time, pointing at rows of the same copy."""
    told: list[tuple[int, int]] = []
    assert seed(empty_url, scale=2, progress=lambda done, total: told.append((done, total))) == 27686
    assert told[-1] == (27686, 27686)
    assert told == sorted(told)
    assert ask(
        empty_url, "SELECT count(*), count(DISTINCT id), count(DISTINCT created_at) > 3400 FROM posts"
    ) == [(6942, 6942, True)]
    same = """
        SELECT count(*) FROM posts a JOIN posts b ON b.id = a.id + 8070
        WHERE a.created_at - b.created_at = interval '6:07:11' AND length(a.body) = length(b.body)
        AND (b.author_id - a.author_id = 11364 OR (a.author_id IS NULL AND b.author_id IS NULL))
        AND (b.parent_id - a.parent_id = 8070 OR (a.parent_id IS NULL AND b.parent_id IS NULL))
    """
    assert ask(empty_url, same) == [(3471,)]


def test_a_migrated_database_keeps_its_revision(empty_url: str) -> None:
    """Seeding fills a database at revision 0001 and adds no index to it; ids go on above the rows."""
    migrate(empty_url, "0001")
    assert seed(empty_url) == 13843
    assert ask(empty_url, "SELECT version_num FROM alembic_version") == [("0001",)]
    inserted = "INSERT INTO users (name) VALUES ('new') RETURNING id"
    assert ask(empty_url, inserted) == [(11363,)]


def test_memory_does_not_grow_with_the_scale() -> None:
    """Rows are made one by one: making 60,000 takes no more memory than making 20,000."""
    structure = read_structure()
    list(islice(seeding._posts(structure, 1), 10))
    peaks = []
    for rows in (20_000, 60_000):
        tracemalloc.start()
        for _ in islice(seeding._comments(structure, 100), rows):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.5


def test_texts_have_the_lengths_of_the_data() -> None:
    """Titles and texts have exactly the characters asked for, and none that PostgreSQL cannot store."""
    from pitstop_services.blog.text import name, prose, title

    for key in (*range(-50, 500), 10**9):
        for chars in (0, 1, 2, 15, 144):
            assert len(title(key, chars=chars)) == chars
        for chars in (0, 1, 600, 16416):
            assert len(prose(key, chars=chars)) == chars
    assert name(-1) == "Community"
    assert len({name(key) for key in range(1, 20_000)}) == 19_999
