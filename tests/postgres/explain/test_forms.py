"""Text and JSON of one plan give the same tree, on many shapes of real plans; and the times add up."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pitstop import explain

STATEMENTS = (
    "select * from users where id = 5",
    "select u.country, count(*) from users u join orders o on o.user_id = u.id group by 1 order by 2 desc",
    "select * from orders o left join users u on u.id = o.user_id and u.country = 'KR' where o.id < 100",
    "select * from orders o full join users u on u.id = o.user_id where coalesce(o.id, 1) < 100",
    "select * from users u where not exists (select from orders o where o.user_id = u.id and o.total = 3)",
    "select u.id, (select count(*) from orders o where o.user_id = u.id) from users u where u.id < 50",
    "select * from users where id not in (select user_id from orders where total > 500)",
    "select count(*) from orders where total > (select avg(total) from orders)",
    "with a as materialized (select * from orders where status = 'new') "
    "select count(*) from a x join a y on x.id = y.id",
    "with a as (select id, total from orders where id < 100), b as (select * from a where total > 5) "
    "select (select count(*) from a), (select count(*) from b), * from b",
    "with recursive r(n) as (select 1 union all select n + 1 from r where n < 1000) select sum(n) from r",
    "with changed as (update users set country = 'FR' where id < 9 returning id) select * from changed",
    "select case when (select count(*) from users) > 5 then (select max(qty) from items) end from orders",
    "select id from users where created_at > (select min(created_at) from orders where user_id = 5) limit 3",
    """select * from orders where tags @> '{"a": 1}' and user_id < 20""",
    "select * from orders where user_id = 7 or id = 9",
    "select count(*) from events where at >= '2026-02-10'",
    "select status, total, count(*) over (partition by status order by total) from orders where id < 2000",
    "select * from generate_series(1, 10) g join (values (1), (2)) v(x) on v.x = g",
    "select id from orders where id < 10 union select id from users where id < 10",
    "select id from orders where id < 10 except select id from users where id < 5",
    "select id from orders where id < 10 intersect all select id from users where id < 5",
    "select status, country, count(*) from orders o join users u on u.id = o.user_id "
    "group by grouping sets ((status), (country), ())",
    "select * from users where ctid = '(0,1)'",
    "select * from users tablesample system (50) repeatable (1)",
    "select unnest(array[1, 2, 3]) from users where id < 5",
    "select * from users where id < 5 for update",
    "select * from users where false",
    "select email from users where email = 'two\nlines: text'",
    "select u.* from users u, lateral (select from orders where user_id = u.id order by total limit 1) x",
    "select * from users order by country, created_at limit 20",
    'select "Key" from (select 1 as "Key") "My Table" where "Key" > random()',
    "update orders set total = total + 1 where id < 100",
    "insert into child select n, 'x' from generate_series(1, 100) n on conflict do nothing",
    "delete from parent where id < 3",
    "update events set v = v + 1 where at = '2026-01-05'",
    "select count(*) from items i join orders o on o.id = i.order_id where i.qty > 1 and o.total > 10",
)
PLANNERS: dict[str, dict[str, str]] = {
    "default": {},
    "nested": {"enable_hashjoin": "off", "enable_mergejoin": "off", "statement_timeout": "20s"},
    "merge": {"enable_hashjoin": "off", "enable_nestloop": "off"},
    "disk": {"work_mem": "64kB"},
    "parallel": {
        "parallel_setup_cost": "0",
        "parallel_tuple_cost": "0",
        "min_parallel_table_scan_size": "0",
        "min_parallel_index_scan_size": "0",
    },
    "index": {"enable_seqscan": "off", "enable_sort": "off"},
}
TEXT_LACKS = ("Inner Unique", "Grouping Sets", "Parallel Aware", "Async Capable")
SAME = (
    "Filter",
    "Hash Cond",
    "Index Cond",
    "Sort Key",
    "Relation Name",
    "Index Name",
    "Subplan Name",
    "Command",
)


@pytest.fixture
def connection(shop: str) -> Iterator["psycopg.Connection[tuple[Any, ...]]"]:
    with psycopg.connect(shop) as connection:
        connection.execute("set max_parallel_workers_per_gather = 0")
        yield connection
        connection.rollback()


def both(
    connection: "psycopg.Connection[tuple[Any, ...]]", statement: str, options: str
) -> tuple[explain.Plan, explain.Plan]:
    """The plan of a statement in each form; rows and shape do not depend on when it ran."""
    found = []
    for form in ("json", "text"):
        connection.execute("savepoint here")
        found.append(connection.execute(f"explain ({options}, format {form}) {statement}").fetchall())
        connection.execute("rollback to savepoint here")
    return explain.parse(found[0]), explain.parse("\n".join(line for (line,) in found[1]))


def shape(plan: explain.Plan) -> list[tuple[Any, ...]]:
    return [
        (
            *(node.depth, node.node_type, node.label, node.place, node.rows, node.loops, node.estimated_rows),
            *(node.text(name) for name in SAME),
        )
        for node in plan.nodes()
    ]


@pytest.mark.parametrize("planner", sorted(set(PLANNERS) - {"parallel"}))
@pytest.mark.parametrize("options", ["analyze, costs off, timing off, summary off", "verbose", "costs off"])
def test_same_tree(connection: "psycopg.Connection[tuple[Any, ...]]", planner: str, options: str) -> None:
    """Nodes, names, conditions, rows and loops are the same, whatever the planner chose."""
    for name, value in PLANNERS[planner].items():
        connection.execute(f"set {name} = '{value}'")
    for statement in STATEMENTS:
        from_json, from_text = both(connection, statement, options)
        assert shape(from_text) == shape(from_json), statement


def test_same_tree_in_parallel(connection: "psycopg.Connection[tuple[Any, ...]]") -> None:
    """So it is below a Gather, but for rows, which workers share out anew each time."""
    connection.execute("set max_parallel_workers_per_gather = 2")
    for name, value in PLANNERS["parallel"].items():
        connection.execute(f"set {name} = '{value}'")
    for statement in STATEMENTS:
        from_json, from_text = both(connection, statement, "verbose")
        assert shape(from_text) == shape(from_json), statement


@pytest.mark.parametrize("planner", sorted(PLANNERS))
def test_times_add_up(connection: "psycopg.Connection[tuple[Any, ...]]", planner: str) -> None:
    """The own times of all nodes are the time of the root, within the rounding of what was printed."""
    if planner == "parallel":
        connection.execute("set max_parallel_workers_per_gather = 2")
    for name, value in PLANNERS[planner].items():
        connection.execute(f"set {name} = '{value}'")
    for statement in STATEMENTS:
        for plan in both(connection, statement, "analyze, verbose, buffers, settings, wal"):
            root = plan.root.number("Actual Total Time") * (plan.root.loops or 0)
            rounding = sum(0.0005 * (node.loops or 0) for node in plan.nodes())
            assert abs(sum(node.self_ms for node in plan.nodes()) - root) <= rounding + 1e-9, str(plan)
            assert all(node.self_ms >= 0.0 for node in plan.nodes())
            assert plan.total_ms == pytest.approx(root)


def test_summaries(connection: "psycopg.Connection[tuple[Any, ...]]") -> None:
    """Triggers, settings, buffers and the times of planning and execution are read from both forms."""
    connection.execute("set work_mem = '8MB'")
    for plan in both(connection, "delete from parent where id < 3", "analyze, buffers, settings"):
        (trigger,) = plan.triggers
        assert (trigger.constraint, trigger.calls) == ("child_pid_fkey", 2)
        assert trigger.ms > 0.0
        assert plan.settings["work_mem"] == "8MB"
        assert (plan.planning_ms or 0.0) > 0.0
        assert (plan.execution_ms or 0.0) >= plan.total_ms > 0.0
        assert plan.root.number("Shared Hit Blocks") > 0


CAPTURED = json.loads((Path(__file__).parents[1] / "plans" / "postgresql-15.json").read_text("utf-8"))


@pytest.mark.parametrize("number", range(len(CAPTURED)))
def test_same_tree_of_an_older_server(number: int) -> None:
    """Plans that PostgreSQL 15 gave in both forms are the same trees."""
    captured = CAPTURED[number]
    assert shape(explain.parse(captured["text"])) == shape(explain.parse(captured["json"]))
