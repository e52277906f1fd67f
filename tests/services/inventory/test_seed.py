"""The inventory's database: the same rows every time, once, at any scale."""

import hashlib
import tracemalloc
from itertools import islice

import pytest

from pitstop.errors import SettingsError
from pitstop_services.inventory import seed as seeding
from pitstop_services.inventory.seed import migrate, seed
from pitstop_services.inventory.structure import barcode, read_structure
from tests.services.database import ask


def test_rows_are_the_same_every_time() -> None:
    """The rows hash to what they always did; a change here changes every measurement."""
    digest = hashlib.sha256()
    for table in seeding._tables(read_structure(), 2):
        for row in table.rows:
            digest.update(repr(row).encode())
    assert digest.hexdigest() == "3a2242a1baea790b3d9ee31ddd5548742e8d98cfa3b50300cc5f8f80b4100c13"


def test_the_rows_are_the_data(database_url: str) -> None:
    """The seeded rows are the data's: how many there are, of what kind, and what is odd in them."""
    for table, count in (("stores", 14), ("categories", 41), ("products", 504)):
        assert ask(database_url, f"SELECT count(*) FROM {table}") == [(count,)]
    stock = "SELECT count(*), sum(quantity), count(*) FILTER (WHERE shelf IS NULL) FROM stock"
    assert ask(database_url, stock) == [(1069, 335_974, 290)]
    kinds = "SELECT kind, count(*) FROM transactions GROUP BY kind ORDER BY kind"
    assert ask(database_url, kinds) == [("purchase", 2591), ("sale", 10756), ("work_order", 3626)]
    without = "SELECT count(*) FROM products WHERE category_id IS NULL"
    assert ask(database_url, without) == [(209,)]


def test_transactions_are_where_their_product_is(database_url: str) -> None:
    """A transaction is in a store that keeps the product, on its day, or with the finished goods."""
    astray = """
        SELECT count(*) FROM transactions t WHERE t.store_id <> 7 AND NOT EXISTS
        (SELECT FROM stock s WHERE s.store_id = t.store_id AND s.product_id = t.product_id)
    """
    assert ask(database_url, astray) == [(0,)]
    days = "SELECT min(created_at)::date::text, max(created_at)::date::text FROM transactions"
    assert ask(database_url, days) == [("2014-05-01", "2014-08-03")]
    hour = "extract(hour FROM created_at AT TIME ZONE 'UTC')"
    assert ask(database_url, f"SELECT min({hour})::int, max({hour})::int FROM transactions") == [(6, 21)]


def test_barcodes_have_their_check_digit(database_url: str) -> None:
    """Every product has an EAN-13 of its own, whose weighted sum is a multiple of ten."""
    codes = [str(row[0]) for row in ask(database_url, "SELECT barcode FROM products")]
    assert len(set(codes)) == 504
    for code in codes:
        assert len(code) == 13
        assert sum(int(digit) * (1, 3)[place % 2] for place, digit in enumerate(code)) % 10 == 0
    assert barcode(316) in codes


def test_seeding_again_changes_nothing(database_url: str) -> None:
    """A database that has the rows is left alone; another scale on top of them is refused."""
    assert seed(database_url) == 0
    with pytest.raises(SettingsError, match="has 14 stores already, scale 2 would give 28"):
        seed(database_url, scale=2)
    with pytest.raises(SettingsError, match="scale 0 cannot be seeded"):
        seed(database_url, scale=0)


def test_copies_keep_the_structure(empty_url: str) -> None:
    """Scale 2 repeats every row once, moved in id and time, pointing at rows of the same copy."""
    assert seed(empty_url, scale=2) == 2 * 18_601
    same = """
        SELECT count(*) FROM transactions a JOIN transactions b ON b.id = a.id + 16973
        WHERE a.created_at - b.created_at = interval '6:07:11' AND b.store_id = a.store_id + 60
        AND b.product_id = a.product_id + 999 AND a.quantity = b.quantity
    """
    assert ask(empty_url, same) == [(16973,)]
    assert ask(empty_url, "SELECT count(DISTINCT number), count(DISTINCT barcode) FROM products") == [
        (1008, 1008)
    ]


def test_a_migrated_database_keeps_its_revision(empty_url: str) -> None:
    """Seeding fills a database at revision 0001 and adds no index to it; ids go on above the rows."""
    migrate(empty_url, "0001")
    assert seed(empty_url) == 18_601
    assert ask(empty_url, "SELECT version_num FROM alembic_version") == [("0001",)]
    assert ask(empty_url, "INSERT INTO stores (name) VALUES ('new') RETURNING id") == [(61,)]


def test_memory_does_not_grow_with_the_scale() -> None:
    """Rows are made one by one: making 60,000 takes no more memory than making 20,000."""
    structure = read_structure()
    list(islice(seeding._transactions(structure, 1), 10))
    peaks = []
    for rows in (20_000, 60_000):
        tracemalloc.start()
        for _ in islice(seeding._transactions(structure, 100), rows):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.5
