"""Advice on a database as real ones are: each form of statement gets its index, whatever it stands on."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from pitstop.advisor.indexes import Advisor, WorkloadStatement, advise
from pitstop.advisor.indexes.workload import numbered
from pitstop.advisor.whatif import WhatIf, open_whatif
from pitstop.postgres.address import libpq_url, with_database
from pitstop.servers import Servers, create_database, drop_database

STATEMENTS = {
    "quoted": (
        'SELECT * FROM "Sales Data"."Order Lines" WHERE "Customer Id" = 7',
        '"Sales Data"."Order Lines" ("Customer Id")',
    ),
    "quoted alias": (
        'SELECT "L"."note" FROM "Sales Data"."Order Lines" AS "L" WHERE "L"."Customer Id" = 7 '
        'AND "L"."Select" = \'s1\'',
        '("Customer Id"',
    ),
    "search_path": (
        "SELECT * FROM things WHERE owner = 7",
        "app.things (owner)",
    ),
    "partitioned": (
        "SELECT * FROM parts WHERE tenant = 7",
        "app.parts (tenant)",
    ),
    "inheritance": (
        "SELECT * FROM base WHERE k = 7",
        "(k)",
    ),
    "view": (
        "SELECT * FROM active_things WHERE owner = 7",
        "(owner)",
    ),
    "cte": (
        "WITH t AS (SELECT * FROM things WHERE owner = 9) SELECT count(*), max(total) FROM t",
        "(owner",
    ),
    "union": (
        "SELECT id FROM things WHERE owner = 7 UNION SELECT id FROM parts WHERE tenant = 8",
        "(owner",
    ),
    "subquery": (
        "SELECT * FROM things WHERE id IN (SELECT thing FROM links WHERE other = 5)",
        "links (other",
    ),
    "lateral": (
        "SELECT x.* FROM (VALUES (1),(2)) v(o), LATERAL "
        "(SELECT * FROM things t WHERE t.owner = v.o ORDER BY at DESC LIMIT 3) x",
        "(owner, at DESC)",
    ),
    "dollar": (
        "SELECT * FROM things WHERE owner = $1 AND m = $2",
        "(owner",
    ),
    "named": (
        "SELECT * FROM things WHERE owner = :owner",
        "(owner)",
    ),
    "percent": (
        "SELECT * FROM things WHERE owner = %s",
        "(owner)",
    ),
    "percent named": (
        "SELECT * FROM things WHERE owner = %(o)s",
        "(owner)",
    ),
    "generated": (
        "SELECT * FROM things WHERE twice = 1800",
        "(twice)",
    ),
    "domain": (
        "SELECT * FROM things WHERE address = 'a77@x.y'",
        "(address",
    ),
    "enum partial": (
        "SELECT * FROM things WHERE m = 'odd'",
        "m",
    ),
    "citext": (
        "SELECT * FROM things WHERE ci = 'n77'",
        "(ci)",
    ),
    "int array": (
        "SELECT * FROM things WHERE tags @> array[77, 5]",
        "gin (tags)",
    ),
    "array overlap": (
        "SELECT * FROM things WHERE words && array['t7']",
        "gin (words)",
    ),
    "any array": (
        "SELECT * FROM things WHERE 77 = ANY (tags) AND owner = 5",
        "(owner",
    ),
    "range contains": (
        "SELECT * FROM things WHERE during @> '2026-01-05 00:00+00'::timestamptz",
        "gist (during)",
    ),
    "range overlaps": (
        "SELECT * FROM things WHERE during && tstzrange('2026-01-05','2026-01-06')",
        "gist (during)",
    ),
    "tsvector": (
        "SELECT * FROM things WHERE body @@ to_tsquery('simple', 'w77')",
        "gin (body)",
    ),
    "jsonb @>": (
        "SELECT * FROM things WHERE data @> '{\"k\": 7}'",
        "jsonb_path_ops",
    ),
    "jsonb ?": (
        "SELECT * FROM things WHERE data ? 'rare'",
        "gin (data)",
    ),
    "jsonb ->>": (
        "SELECT * FROM things WHERE data->>'email' = 'e77'",
        "((data ->> 'email'::text))",
    ),
    "jsonb -> int": (
        "SELECT * FROM things WHERE (data->>'k')::int = 77",
        "(((data ->> 'k'::text))::integer)",
    ),
    "ilike": (
        "SELECT * FROM things WHERE name ILIKE '%abc12%'",
        "gin_trgm_ops",
    ),
    "prefix": (
        "SELECT * FROM things WHERE name LIKE 'abc12%'",
        "(name",
    ),
    "lower": (
        "SELECT * FROM things WHERE lower(address) = 'a7@x.y'",
        "lower(",
    ),
    "date": (
        "SELECT * FROM things WHERE date(at AT TIME ZONE 'UTC') = '2026-01-05'",
        "date(",
    ),
    "order two": (
        "SELECT * FROM things ORDER BY at DESC, owner ASC LIMIT 10",
        "(at DESC, owner)",
    ),
    "in list": (
        "SELECT * FROM things WHERE owner IN (1,2,3)",
        "(owner)",
    ),
    "is null": (
        "SELECT id FROM things WHERE gone IS NOT NULL AND owner < 50",
        "WHERE (gone IS NOT NULL)",
    ),
    "bool partial": (
        "SELECT * FROM things WHERE NOT active ORDER BY at LIMIT 10",
        "WHERE (NOT active)",
    ),
    "or": (
        "SELECT * FROM things WHERE owner = 7 OR address = 'a7@x.y'",
        "(",
    ),
    "join fk": (
        "SELECT l.* FROM things t JOIN links l ON l.thing = t.id WHERE t.id = 9",
        "links (thing",
    ),
    "distinct on": (
        "SELECT DISTINCT ON (owner) owner, at, name FROM things WHERE owner IN (1,2,3) "
        "ORDER BY owner, at DESC",
        "(owner",
    ),
    "min": (
        "SELECT min(at) FROM things",
        "(at)",
    ),
    "keyset": (
        "SELECT * FROM things WHERE (at, id) < ($1, $2) ORDER BY at DESC, id DESC LIMIT 10",
        "(at DESC, id DESC)",
    ),
    "fresh": (
        "SELECT * FROM fresh WHERE a = 7",
        "fresh (a)",
    ),
    "inet": (
        "SELECT * FROM things WHERE ip << '10.0.7.0/28'",
        "ip",
    ),
    "uuid": (
        "SELECT * FROM things WHERE u = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'",
        "(u)",
    ),
    "update": (
        "UPDATE things SET total = 1 WHERE owner = 7",
        "(owner)",
    ),
    "delete": (
        "DELETE FROM links WHERE other = 7",
        "(other)",
    ),
    "not exists": (
        "SELECT count(*) FROM things t WHERE owner = 7 "
        "AND NOT EXISTS (SELECT FROM links l WHERE l.thing = t.id)",
        "(owner",
    ),
    "group by": (
        "SELECT date_trunc('day', at AT TIME ZONE 'UTC'), count(*) FROM things WHERE owner = 7 GROUP BY 1",
        "(owner",
    ),
    "between": (
        "SELECT * FROM things WHERE at BETWEEN '2026-01-05' AND '2026-01-06'",
        "(at)",
    ),
    "values join": (
        "SELECT t.name FROM things t JOIN (VALUES (1),(2)) v(o) ON t.owner = v.o",
        "(owner",
    ),
    "for update": (
        "SELECT * FROM things WHERE owner = 5 FOR UPDATE SKIP LOCKED LIMIT 3",
        "(owner)",
    ),
    "scalar sub": (
        "SELECT t.id, (SELECT count(*) FROM links l WHERE l.other = t.owner) FROM things t WHERE t.id < 20",
        "links (other)",
    ),
    "case func": (
        "SELECT * FROM things WHERE upper(name) LIKE 'ABC%'",
        "upper(name)",
    ),
    "coalesce": (
        "SELECT * FROM things WHERE coalesce(gone, at) > '2026-03-10'",
        "COALESCE",
    ),
}


@pytest.fixture(scope="module")
def odd(pitstop_servers: Servers) -> Iterator[WhatIf]:
    """A copy of the odd database, for all tests of this file."""
    name = f"advisor_odd_{uuid.uuid4().hex[:8]}"
    url = libpq_url(create_database(pitstop_servers.sync_database_url, name))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute((Path(__file__).parent / "odd.sql").read_bytes())
        connection.execute(f"ALTER DATABASE {name} SET search_path = app, public".encode())
    servers = pitstop_servers if "postgresql" in pitstop_servers.private else None
    with open_whatif(with_database(url, name), servers=servers) as whatif:
        yield whatif
    drop_database(pitstop_servers.sync_database_url, name)


@pytest.mark.parametrize("form", STATEMENTS)
def test_each_form_is_served(form: str, odd: WhatIf) -> None:
    """A statement of this form gets one index for each relation that it finds rows of, at most."""
    statement, expected = STATEMENTS[form]
    advice = advise(odd, [WorkloadStatement(numbered(statement))])
    (told,) = advice.statements
    assert told.problem == ""
    assert any(expected in each.ddl for each in advice.indexes)
    assert len(advice.indexes) <= 2
    assert told.cost_after < told.cost_before * 0.6


def test_all_forms_together(odd: WhatIf) -> None:
    """All of them at once are served by fewer indexes than there are statements; a broken one is named."""
    workload = [WorkloadStatement(numbered(each)) for each, _ in STATEMENTS.values()]
    broken = [
        WorkloadStatement("SELECT FROM WHERE"),
        WorkloadStatement("SELECT * FROM things WHERE nope = 1"),
    ]
    advice = Advisor(odd).advise([*broken, *workload])
    assert ["syntax error" in advice.statements[0].problem, "nope" in advice.statements[1].problem] == [
        True
    ] * 2
    assert [each.problem for each in advice.statements[2:] if each.problem] == []
    assert len(advice.indexes) < len(workload)
    assert advice.mean_after < advice.mean_before / 10


def test_an_empty_table_gets_none(odd: WhatIf) -> None:
    """What has no rows needs no index yet."""
    assert advise(odd, [WorkloadStatement("SELECT * FROM empty WHERE a = 7")]).indexes == ()
