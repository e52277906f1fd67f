"""Rules that judge a plan of a statement that was not executed: what fires each, and what must not."""

import psycopg
import pytest

from pitstop import explain

BY_ROW = "(select count(*) from orders o where o.user_id = u.id)"
FIRES = {
    "correlated-subplan": (
        f"select id, {BY_ROW} from users u",
        f"select id from users u where {BY_ROW} > 3",
        f"select id, {BY_ROW} as n from users u order by n limit 5",
        "select id, (select email from users u where u.id = o.user_id) from orders o",
    ),
    "sort-before-limit": (
        "select * from items order by qty, note limit 5",
        "select * from items where product_id > 3 order by qty desc limit 5",
        "select * from items order by qty limit 5 for update",
        "select id, (select count(*) from users) from orders order by total limit 5",
    ),
    "array-element": (
        "select * from labelled where 'l7' = any(labels)",
        "select * from labelled l where id > 3 and 'l7' = any(l.labels)",
    ),
    "sort-on-disk": (
        "select * from items order by note, order_id",
        "select * from items order by note, order_id limit 30000",
        "select distinct on (note) * from items order by note, order_id",
    ),
}
SILENT = {
    "correlated-subplan": (
        f"select id, {BY_ROW} from users u limit 5",
        f"select id, {BY_ROW} from users u order by id limit 5",
        f"select id, {BY_ROW} from users u order by country limit 5",  # only then is it computed
        f"select id, {BY_ROW} from users u where id < 20",
        "select id, (select count(*) from orders) from users u",
        "select id, id in (select user_id from orders) from users u",  # in a hash table
        "select id from users u where id in (select user_id from orders where total > 5) or country = 'KR'",
        "select id from users u where exists (select from orders o where o.user_id = u.id)",  # a join
        "select id from users u where id not in (select user_id from orders)",  # has a rule of its own
    ),
    "sort-before-limit": (
        "select * from orders order by created_at limit 5",  # by an index
        "select * from orders where user_id = 7 order by created_at limit 5",  # ten rows
        "select * from items order by qty, note limit 20000",
        "select * from items order by qty, note",
        "select product_id, count(*) from items group by 1 order by 2 limit 5",
        "select * from items order by -qty limit 5",
    ),
    "array-element": (
        "select * from labelled where labels @> array['l7']",
        "select * from labelled where id = any('{1,2}'::int[])",
        "select * from labelled where labels[1] = any('{l7,l8}'::text[])",
    ),
    "sort-on-disk": (
        "select * from users where id < 50 order by country",
        "select * from items order by note, order_id limit 5",
        "select order_id from items order by order_id",
    ),
}


def names(url: str, statement: str, *, options: str = "settings, format json") -> set[str]:
    with psycopg.connect(url) as connection:
        connection.execute("set work_mem = '1MB'")
        connection.execute("set max_parallel_workers_per_gather = 0")
        plan = explain.parse(connection.execute(f"explain ({options}) {statement}".encode()).fetchall())
    assert not plan.is_analyzed
    found = plan.findings()
    assert all(each.why and each.cure and each.subject and each.saving_ms == 0.0 for each in found)
    return {each.rule for each in found}


@pytest.mark.parametrize("rule", FIRES)
def test_fires_on_estimates(shop: str, rule: str) -> None:
    """The plan tells the rule enough, though nothing was executed."""
    for statement in FIRES[rule]:
        assert rule in names(shop, statement), statement


@pytest.mark.parametrize("rule", SILENT)
def test_is_silent_on_estimates(shop: str, rule: str) -> None:
    """A statement that comes close does not fire it."""
    for statement in SILENT[rule]:
        assert rule not in names(shop, statement), statement


def test_the_text_form_tells_as_much(shop: str) -> None:
    """A plan in text form has the same findings as one in JSON."""
    for rule, statements in FIRES.items():
        for statement in statements:
            assert rule in names(shop, statement, options="settings, format text"), statement


def test_memory_that_nobody_told(shop: str) -> None:
    """A plan without its settings says nothing of what fits into memory."""
    assert names(shop, FIRES["sort-on-disk"][0], options="format json") == set()


def test_cures_of_estimates_work(shop: str) -> None:
    """The index of a sort for a few rows can be made as it stands, and then the plan has no such finding."""
    for statement in FIRES["sort-before-limit"][0::3]:  # each on a table of its own
        with psycopg.connect(shop, autocommit=True) as connection:
            plan = explain.parse(connection.execute(f"explain (format json) {statement}".encode()).fetchall())
            (found,) = [each for each in plan.findings() if each.rule == "sort-before-limit"]
            connection.execute(found.cure.encode())
            connection.execute("analyze")
        assert "sort-before-limit" not in names(shop, statement), statement
