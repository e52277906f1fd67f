"""A shop whose plans fire the rules, and the statements that do; and some that come close and must not."""

from dataclasses import dataclass, field

SCHEMA = """
set synchronous_commit = on;  -- else VACUUM cannot tell so soon that rows are visible to all
create table users (id int primary key, email text not null, country text, created_at timestamptz not null);
create table orders (
    id int primary key, user_id int not null, total numeric not null, status text not null,
    tags jsonb, created_at timestamptz not null
);
create table items (order_id int not null, product_id int not null, qty int not null, note text);
create table twins (a int, b int, user_id int);
create table wide (k int, scattered int, filler text);
alter table wide alter filler set storage plain;
create table events (id int, at date, v int) partition by range (at);
create table events_1 partition of events for values from ('2026-01-01') to ('2026-02-01');
create table events_2 partition of events for values from ('2026-02-01') to ('2026-03-01');
create table events_3 partition of events for values from ('2026-03-01') to ('2026-04-01');
create table parent (id int primary key);
create table labelled (id int, labels text[]);
create table child (pid int references parent on delete cascade, filler text);

alter table wide set (autovacuum_enabled = off);
alter table orders set (autovacuum_enabled = off);

insert into users select n, 'u' || n || '@shop.example', (array['KR','DE','US'])[1 + n % 3],
    timestamptz '2026-01-01' + n * interval '1 minute' from generate_series(1, 2000) n;
insert into orders select n, 1 + n % 2000, n % 1000, (array['new','paid','sent','done'])[1 + n % 4],
    case when n % 4 = 0 then '{"a": 1, "b": 2}' else '{"a": 2, "b": 1}' end::jsonb,
    timestamptz '2026-01-01' + n * interval '1 second' from generate_series(1, 20000) n;
insert into items select 1 + n % 20000, n % 500, n % 7, repeat('x', n % 50) from generate_series(1, 40000) n;
insert into twins select n % 20, n % 20, 1 + n % 2000 from generate_series(1, 40000) n;
insert into wide select n, (n * 7919) % 20000, repeat('y', 1000) from generate_series(1, 20000) n;
insert into events select n, date '2026-01-01' + n % 89, n from generate_series(1, 6000) n;
insert into labelled select n, array['l' || n % 300, 'm' || n % 7] from generate_series(1, 5000) n;
insert into parent select generate_series(1, 200);
insert into child select 1 + n % 200, repeat('z', 100) from generate_series(1, 8000) n;

create index on orders (user_id);
create index on orders (created_at);
create index on orders using gin (tags);
create index on items (order_id);
create index on wide (k);
create index on wide (scattered);
vacuum analyze
"""

EIGHT = f"""select count(*) from {", ".join(f"items i{n}" for n in range(8))} where i0.order_id = -1
    and {" and ".join(f"i{n}.product_id = i{n - 1}.product_id" for n in range(1, 8))}"""
BRANCHES = " union all ".join(f"select id from users where id = {n}" for n in range(1500))  # opened, one read


@dataclass(frozen=True)
class Scenario:
    """A statement that fires a rule and one that must not.

    ``settings`` hold for the first, ``before`` runs before both; all of it is rolled back.
    """

    fires: str
    silent: str
    settings: dict[str, str] = field(default_factory=dict)
    before: tuple[str, ...] = ()


NESTED = {"enable_hashjoin": "off", "enable_mergejoin": "off"}
LITTLE = {"work_mem": "64kB", "max_parallel_workers_per_gather": "0"}
PARALLEL = {
    "parallel_setup_cost": "0",
    "parallel_tuple_cost": "0",
    "min_parallel_table_scan_size": "0",
    "max_parallel_workers_per_gather": "2",
}
BY_INDEX = {"enable_seqscan": "off", "enable_bitmapscan": "off"}

SCENARIOS = {
    "filtered-scan": Scenario(
        "select * from items where product_id = 7 and qty = 3", "select * from items where qty > 0"
    ),
    "repeated-scan": Scenario(
        "select * from users u left join items i on i.product_id = u.id where u.id < 50",
        "select * from users u left join items i on i.order_id = u.id where u.id < 50",
        settings=NESTED,
    ),
    "wrapped-column": Scenario(
        "select * from users where lower(email) = 'u7@shop.example'", "select * from users where id = 7"
    ),
    "array-element": Scenario(
        "select * from labelled where 'l7' = any(labels) and id > 3",
        "select * from labelled where labels @> array['l7'] or id = any(array[1, 2])",
    ),
    "or-filter": Scenario(
        "select * from items where product_id = 7 or note = 'none'",
        "select * from orders where user_id = 7 or id = 9",
    ),
    "not-in": Scenario(
        "select * from users where id not in (select user_id from orders)",
        "select * from users u where not exists (select 1 from orders o where o.user_id = u.id)",
    ),
    "sort-before-limit": Scenario(
        "select * from items order by qty, note limit 5", "select * from orders order by created_at limit 5"
    ),
    "order-by-limit": Scenario(
        "select * from orders where status = 'lost' order by created_at limit 5",
        "select * from orders where status = 'new' order by created_at limit 5",
        settings={**BY_INDEX, "enable_sort": "off"},
    ),
    "offset": Scenario(
        "select * from items order by order_id limit 5 offset 20000",
        "select * from items order by order_id limit 5 offset 20",
    ),
    "filter-after-index": Scenario(
        "select * from items where order_id < 5000 and qty = 3",
        "select * from items where order_id < 50 and qty = 3",
        settings={"enable_seqscan": "off"},
    ),
    "recheck": Scenario(
        """select * from orders where tags @> '{"a": 1, "b": 2}'""",
        """select * from orders where tags @> '{"a": 1}' and id < 10""",
        settings={"enable_seqscan": "off"},
    ),
    "index-searches": Scenario(
        f"select * from items where order_id in ({', '.join(str(n) for n in range(1, 20000, 90))})",
        "select * from items where order_id in (1, 2, 3)",
        settings=BY_INDEX,
    ),
    "misestimate": Scenario(
        "select count(*) from twins t join users u on u.id = t.user_id where t.a = 7 and t.b = 7",
        "select count(*) from twins t join users u on u.id = t.user_id where t.a = 7",
    ),
    "stale-statistics": Scenario(
        "select * from wide",
        "select * from items",
        before=("delete from wide where k > 500",),
    ),
    "sort-on-disk": Scenario(
        "select * from items order by note, order_id",
        "select * from users where id < 50 order by country",
        settings=LITTLE,
    ),
    "aggregate-on-disk": Scenario(
        "select order_id, product_id, count(*) from items group by 1, 2",
        "select status, count(*) from orders group by 1",
        settings={**LITTLE, "enable_sort": "off", "enable_indexscan": "off", "hash_mem_multiplier": "1"},
    ),
    "hash-batches": Scenario(
        "select count(*) from items i join orders o on o.id = i.order_id",
        "select count(*) from orders o join users u on u.id = o.user_id where u.id < 10",
        settings={**LITTLE, "enable_mergejoin": "off", "enable_nestloop": "off", "hash_mem_multiplier": "1"},
    ),
    "stored-on-disk": Scenario(
        "with a as materialized (select * from orders) select count(*) from a x where x.total > 5",
        "with a as materialized (select * from orders where id < 10) select count(*) from a",
        settings=LITTLE,
    ),
    "lossy-bitmap": Scenario(
        "select count(filler) from wide where scattered between 1 and 9000",
        "select count(filler) from wide where k between 1 and 19000",
        settings={
            **LITTLE,
            "enable_seqscan": "off",
            "enable_indexscan": "off",
            "enable_indexonlyscan": "off",
        },
    ),
    "memory": Scenario(
        "select n from generate_series(1, 1200000) n order by -n",
        "select n from generate_series(1, 1000) n order by -n",
        settings={"work_mem": "400MB"},
    ),
    "many-loops": Scenario(
        "select count(u.email) from orders o join users u on u.id = o.user_id",
        "select count(u.email) from orders o join users u on u.id = o.user_id where o.id < 20",
        settings={**NESTED, "enable_memoize": "off", "max_parallel_workers_per_gather": "0"},
    ),
    "correlated-subplan": Scenario(
        "select id, (select count(*) from orders o where o.user_id = u.id) from users u",
        "select id, (select count(*) from orders o) from users u",
    ),
    "partition-pruning": Scenario(
        "select * from events where v = 77", "select * from events where at = '2026-02-10'"
    ),
    "heap-fetches": Scenario(
        "select count(user_id) from orders where user_id > 0",
        "select count(order_id) from items where order_id > 0",
        settings=BY_INDEX,
        before=("update orders set total = total + 1",),
    ),
    "bloat": Scenario(
        "select count(*) from wide",
        "select count(*) from items",
        settings=PARALLEL | {"enable_indexonlyscan": "off"},
        before=("delete from wide where k > 500",),
    ),
    "locality": Scenario(
        "select filler from wide where scattered between 1 and 2000",
        "select filler from wide where k between 1 and 2000",
        settings=BY_INDEX,
    ),
    "workers-missing": Scenario(
        "select count(*) from items where qty > 2",
        "select count(*) from users where id < 5",
        settings={**PARALLEL, "max_parallel_workers": "0"},
    ),
    "planning": Scenario(EIGHT, "select count(*) from items where qty > 2"),
    "trigger-time": Scenario("delete from parent where id < 100", "delete from users where id < 100"),
    "outside-nodes": Scenario(f"{BRANCHES} limit 1", "select count(*) from items"),
    "settings": Scenario(
        "select * from users where id = 5",
        "select * from users where id = 5",
        settings={"enable_hashjoin": "off"},
    ),
}
