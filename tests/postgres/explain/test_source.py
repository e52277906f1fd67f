"""A plan is found in whatever a person has at hand; what is none is told in words."""

import contextlib
import json
import re
from typing import Any

import asyncpg
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine
from sqlalchemy import text as statement_of

from pitstop import explain
from pitstop.errors import PlanError
from pitstop.postgres.address import libpq_url

TEXT = """\
HashAggregate  (cost=530.09..530.12 rows=3 width=11) (actual time=25.259..25.263 rows=3.00 loops=1)
  Group Key: u.country
  Batches: 1  Memory Usage: 32kB
  Buffers: shared hit=43 read=7
  ->  Hash Join  (cost=67.28..434.19 rows=19179 width=3) (actual time=0.594..4.299 rows=20000.00 loops=1)
        Hash Cond: (o.user_id = u.id)
        ->  Index Only Scan using orders_user_id_idx on orders o  (cost=0.29..316.72 rows=19189 width=4)\
 (actual time=0.017..1.203 rows=20000.00 loops=1)
              Heap Fetches: 0
              Index Searches: 1
        ->  Hash  (cost=42.00..42.00 rows=1999 width=7) (actual time=0.550..0.551 rows=2000.00 loops=1)
              Buckets: 2048 (originally 1024)  Batches: 2 (originally 1)  Memory Usage: 95kB
              ->  Seq Scan on users u  (cost=0.00..42.00 rows=1999 width=7) (actual time=0.029..0.282\
 rows=2000.00 loops=1)
                    Filter: (name <> 'a"b'::text)
                    Rows Removed by Filter: 3
Planning:
  Buffers: shared hit=245
Planning Time: 5.527 ms
Execution Time: 25.397 ms"""
LINES = TEXT.split("\n")
WIDTH = max(map(len, LINES))
LABELS = [
    "HashAggregate",
    "Hash Join",
    "Index Only Scan using orders_user_id_idx on orders o",
    "Hash",
    "Seq Scan on users u",
]
DOCUMENT = {
    "Plan": {"Node Type": "Seq Scan", "Relation Name": "t", "Filter": "(a = 'x\"y')"},
    "Planning Time": 0.5,
}
JSON = json.dumps([DOCUMENT], indent=2)
ENTRY = "duration: 43.782 ms  plan:"


def continued(lines: list[str]) -> str:
    """As psql prints a value of several lines."""
    body = [f" {line:{WIDTH}}+" for line in lines[:-1]] + [f" {lines[-1]}"]
    return "\n".join([f"{'QUERY PLAN':^{WIDTH}}", "-" * WIDTH, *body, "(1 row)", ""])


def bordered(lines: list[str], bar: str = "|", line: str = "-") -> str:
    ruler = f"+{line * (WIDTH + 2)}+"
    head = f"{bar} {'QUERY PLAN':^{WIDTH}} {bar}"
    return "\n".join(
        [ruler, head, ruler, *(f"{bar} {each:{WIDTH}} {bar}" for each in lines), ruler, "(21 rows)"]
    )


def quoted(line: str) -> str:
    return '"' + line.replace('"', '""') + '"'


FRAMES: dict[str, Any] = {
    "bare": TEXT,
    "psql": "\n".join(
        [f"{'QUERY PLAN':^80}", "-" * 80, *(f" {line}" for line in LINES), "(21 rows)", "", "Time: 3 ms"]
    ),
    "psql, Korean": "\n".join(["QUERY PLAN", "-" * 80, *(f" {line}" for line in LINES), "(21개 행)"]),
    "psql, border": f"Timing is on.\n{bordered(LINES)}\n\nTime: 50.6 ms",
    "psql, unicode": bordered(LINES, "│", "─"),
    "psql, expanded": "\n".join(
        f"-[ RECORD {n} ]---\nQUERY PLAN | {line}" for n, line in enumerate(LINES, 1)
    ),
    "psql, wrapped": "\n".join(
        [" QUERY PLAN", "----", f" {LINES[0][:40]}.", f".{LINES[0][40:]}", *(f" {x}" for x in LINES[1:])]
    ),
    "psql, expanded in a frame": "\n".join(
        part
        for n, line in enumerate(LINES, 1)
        for part in (f"+-[ RECORD {n} ]-{'-' * WIDTH}+", f"| QUERY PLAN | {line:{WIDTH}} |")
    ),
    "psql, expanded, unicode": "\n".join(
        f"─[ RECORD {n} ]{'─' * 20}\nQUERY PLAN │ {line}" for n, line in enumerate(LINES, 1)
    ),
    "psql, expanded without lines": "\n".join(
        f"* Record {n}\nQUERY PLAN {line}" for n, line in enumerate(LINES, 1)
    ),
    "psql, expanded CSV": "\n".join(
        f"QUERY PLAN,{line}" if "," not in line and '"' not in line else f"QUERY PLAN,{quoted(line)}"
        for line in LINES
    ),
    "psql, expanded, wrapped": "\n".join(
        f"-[ RECORD {n} ]---\nQUERY PLAN | {line[:60]}"
        + (f".\n           |.{line[60:]}" if line[60:] else "")
        for n, line in enumerate(LINES, 1)
    ),
    "psql, wrapped unicode": "\n".join(
        [" QUERY PLAN", "────"] + [f" {x[:70]}…\n…{x[70:]}" if x[70:] else f" {x}" for x in LINES]
    ),
    "CSV": "\n".join(["QUERY PLAN", *(quoted(x) if "," in x or '"' in x else x for x in LINES)]),
    "broken by a terminal": "\n".join(x[n : n + 72] for x in LINES for n in range(0, len(x), 72)),
    "broken before the figures": re.sub(r"  \((cost|actual)", r"\n (\1", TEXT),
    "broken between words": TEXT.replace(" width=", "\nwidth=").replace(" rows=2", "\n  rows=2"),
    "numbered": "\n".join(f"{n}\t{line}" for n, line in enumerate(LINES, 1)),
    "out of a page": TEXT.replace("->", "-&gt;").replace("<>", "&lt;&gt;"),
    "another arrow": TEXT.replace("->", "→"),
    "PowerShell": TEXT.encode("utf-16"),
    "log of a cloud": json.dumps({"jsonPayload": {"text": f"LOG:  {ENTRY}\nQuery Text: select 1\n{TEXT}"}}),
    "statement before": f"shop=# explain analyze select country, count(*) from users group by 1;\n{TEXT}",
    "DBeaver": "\n".join(
        [f"{'QUERY PLAN':{WIDTH}}|", f"{'-' * WIDTH}+", *(f"{line:{WIDTH}}|" for line in LINES)]
    ),
    "quoted": "\n".join(['"QUERY PLAN"', *('"' + line.replace('"', '""') + '"' for line in LINES)]),
    "Markdown": f"```\n{TEXT}\n```",
    "e-mail": "\n".join(f"> {line}" for line in LINES),
    "comment": "\n".join(f"-- {line}" for line in LINES),
    "Windows": TEXT.replace("\n", "\r\n"),
    "indented": "\n".join(f"      {line}" for line in LINES),
    "bytes": TEXT.encode(),
    "lines": LINES,
    "rows": [(line,) for line in LINES],
    "rows as dictionaries": [{"QUERY PLAN": line} for line in LINES],
    "console": repr([(line,) for line in LINES]),
    "log": f"2026-11-21 20:13:12 UTC [7] LOG:  {ENTRY}\n\tQuery Text: select\n\t  1\n"
    + "".join(f"\t{line}\n" for line in LINES)
    + "2026-11-21 20:13:13 UTC [7] LOG:  disconnection: session time: 0:00:01\n",
    "syslog": f"Nov 21 20:00:01 host postgres[12]: [3-1] LOG:  {ENTRY}\n"
    + "".join(f"Nov 21 20:00:01 host postgres[12]: [3-{n}] #011{line}\n" for n, line in enumerate(LINES, 2)),
    "JSON log": json.dumps({"message": f"{ENTRY}\nQuery Text: select 1\n{TEXT}"}) + '\n{"message": "bye"}\n',
    "CSV log": '2026-11-21,"ann",7,LOG,00000,"' + f"{ENTRY}\n{TEXT}".replace('"', '""') + '",,,,"psql"\n',
}


@pytest.mark.parametrize("frame", FRAMES)
def test_frames_of_text(frame: str) -> None:
    """The same nodes with the same figures come out of every frame."""
    plan = explain.parse(FRAMES[frame])
    nodes = plan.nodes()
    assert [node.label for node in nodes] == LABELS
    assert [node.depth for node in nodes] == [0, 1, 2, 2, 3]
    assert nodes[4].text("Filter") == "(name <> 'a\"b'::text)"
    assert (nodes[0].number("Shared Read Blocks"), nodes[3].number("Hash Batches")) == (7, 2)
    assert (plan.planning_ms, plan.execution_ms) == (5.527, 25.397)


JSON_FRAMES: dict[str, Any] = {
    "bare": JSON,
    "psql": continued(JSON.split("\n")),
    "pgAdmin": '"' + JSON.replace('"', '""') + '"',
    "CSV": 'QUERY PLAN\n"' + JSON.replace('"', '""') + '"',
    "object": DOCUMENT,
    "list": [DOCUMENT],
    "node": DOCUMENT["Plan"],
    "rows": [([DOCUMENT],)],
    "row of text": [(JSON,)],
    "dictionary": {"QUERY PLAN": [DOCUMENT]},
    "console": repr([([DOCUMENT],)]),
    "log": f"LOG:  {ENTRY}\n" + "\n".join(f"\t{line}" for line in json.dumps(DOCUMENT, indent=2).split("\n")),
    "JSON log": json.dumps({"message": f"{ENTRY}\n{json.dumps(DOCUMENT)}"}),
}


@pytest.mark.parametrize("frame", JSON_FRAMES)
def test_frames_of_json(frame: str) -> None:
    """So it is with FORMAT JSON, as text, objects and rows."""
    (node,) = explain.parse(JSON_FRAMES[frame]).nodes()
    assert (node.node_type, node.table, node.text("Filter")) == ("Seq Scan", "t", "(a = 'x\"y')")


def test_a_condition_broken_by_a_terminal() -> None:
    """A condition goes on where a parenthesis is open, and ends where the next property begins."""
    node = explain.parse("Seq Scan on t\n  Filter: ((a = ')') AND (b\n = 5))\n  Order: none").root
    assert (node.text("Filter"), node.text("Order")) == ("((a = ')') AND (b = 5))", "none")


def test_a_log_of_several() -> None:
    """parse() takes one plan and says so, parse_all() all of them with their duration and statement."""
    log = "".join(
        f"LOG:  duration: {ms}.5 ms  plan:\n\tQuery Text: select {ms}\n"
        "\tResult  (cost=0.00..0.01 rows=1 width=4)\n"
        for ms in (7, 8)
    )
    assert [(plan.execution_ms, plan.statement) for plan in explain.parse_all(log)] == [
        (7.5, "select 7"),
        (8.5, "select 8"),
    ]
    with pytest.raises(PlanError, match=r"there are 2 plans in this: give one of them, or use parse_all\(\)"):
        explain.parse(log)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "the plan is empty: give the output of EXPLAIN"),
        ("hello world", "no plan in 'hello world'"),
        ("select 1", "'select 1' is a statement, not a plan: run EXPLAIN on it, or `pitstop explain`"),
        ("- Plan: \n    Node Type: 'Seq Scan'", "FORMAT YAML are not read: use FORMAT JSON"),
        ("<explain xmlns='x'>", "FORMAT XML are not read: use FORMAT JSON"),
        (JSON[:30], "the JSON of the plan is broken at line"),
        ("{}", "a document without 'Plan' is no plan"),
        ([], "'[]' is no plan"),
        (None, "'None' is no plan"),
        ("Utility statements have no plan structure", "utility statements have no plan"),
        ({"Plan": {}}, "a node of the plan has no 'Node Type'"),
        (
            {"Plan": {"Node Type": "X", "Actual Loops": "many"}},
            "Actual Loops of X is 'many': a number",
        ),
        ('duration: 1.5 ms  plan:\nQuery Text: "x"\nPlan: \n  Node Type: "Result"', "YAML are not read"),
        (TEXT.replace("rows=20000.00", "rows=20,000"), "breaks off or was changed within 'Hash Join"),
        (TEXT[:60], "the plan breaks off or was changed within 'HashAggregate  (cost=530.09..530.12 rows=3"),
        (TEXT[:230], "the plan breaks off or was changed within 'Hash Join"),
        (TEXT.replace("  ->", "->").replace("      ", ""), "the indentation of the plan is lost at"),
    ],
)
def test_what_is_none(source: object, message: str) -> None:
    """The message says what it is and what to give."""
    with pytest.raises(PlanError) as caught:
        explain.parse(source)
    assert message in str(caught.value)


@given(st.text())
def test_any_text(text: str) -> None:
    """Whatever is pasted, there is a plan or a PlanError."""
    with contextlib.suppress(PlanError):
        assert explain.parse_all(text)


@given(
    st.lists(
        st.sampled_from([*LINES, "", "garbage: 5", "->", "  ->  ", "SubPlan 1", "Worker 0:  x"]), max_size=25
    )
)
def test_any_lines(lines: list[str]) -> None:
    """Lines of a plan in any order are a plan or a PlanError, and what is read can be drawn and judged."""
    try:
        plan = explain.parse("\n".join(lines))
    except PlanError:
        return
    assert str(plan)
    assert plan.findings(all_=True) is not None


def test_old_and_new_names() -> None:
    """Figures have one name, whichever version told them: I/O times up to 16 and since 17."""
    for line in (
        "I/O Timings: read=1.500 write=0.250",
        "I/O Timings: shared read=1.500 write=0.250, temp read=9.000",
    ):
        root = explain.parse(f"Seq Scan on t  (cost=0.00..1.00 rows=1 width=4)\n  {line}").root
        assert (root.number("Shared I/O Read Time"), root.number("Shared I/O Write Time")) == (1.5, 0.25)
    old = explain.parse({"Plan": {"Node Type": "Seq Scan", "I/O Read Time": 1.5}})
    assert old.root.number("Shared I/O Read Time") == 1.5


def test_old_summaries() -> None:
    """PostgreSQL 9.6 and before wrote 'Planning time' and 'Total runtime'."""
    plan = explain.parse(
        "Result  (cost=0.00..0.01 rows=1 width=4)\nPlanning time: 1.5 ms\nTotal runtime: 2.5 ms"
    )
    assert (plan.planning_ms, plan.execution_ms) == (1.5, 2.5)


async def test_rows_of_drivers(database_url: str, sync_database_url: str) -> None:
    """What asyncpg, psycopg and SQLAlchemy fetch is taken as it is, in both forms."""
    for statement in ("explain select 1", "explain (format json) select 1"):
        connection = await asyncpg.connect(libpq_url(database_url))
        fetched: list[Any] = [await connection.fetch(statement), await connection.fetchrow(statement)]
        await connection.close()
        with psycopg.connect(libpq_url(database_url)) as blocking:
            fetched.append(blocking.execute(statement).fetchall())
        engine = create_engine(sync_database_url)
        with engine.connect() as third:
            fetched += [
                third.execute(statement_of(statement)).all(),
                third.execute(statement_of(statement)).mappings().all(),
            ]
            fetched.append(third.execute(statement_of(statement)).scalar())
        engine.dispose()
        assert [explain.parse(each).root.label for each in fetched] == ["Result"] * 6


@pytest.mark.parametrize("between", ["\n\n", "\n(21 rows)\n\n  QUERY PLAN\n-----\n"])
def test_one_plan_below_another(between: str) -> None:
    """Each of several plans in one text is read; none is lost without a word."""
    first, second = explain.parse_all(f"QUERY PLAN\n-----\n{TEXT}{between}{TEXT.replace('users', 'others')}")
    assert [node.label for node in first.nodes()] == LABELS
    assert second.nodes()[-1].table == "others"
    assert (first.execution_ms, second.execution_ms) == (25.397, 25.397)


def test_a_plan_of_citus() -> None:
    """A task of another node has no figures of its own."""
    plan = explain.parse(
        "Custom Scan (Citus Adaptive)  (cost=0.00..0.00 rows=0 width=0)\n  Task Count: 4\n  ->  Task\n"
        "        Node: host=a port=5432 dbname=b\n        ->  Seq Scan on t  (cost=0.00..9.00 rows=1 width=4)"
    )
    assert [node.label for node in plan.nodes()] == ["Custom Scan (Citus Adaptive)", "Task", "Seq Scan on t"]
