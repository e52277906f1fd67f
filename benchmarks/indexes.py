"""Index advice, as it is and proven, against a plain greedy what-if search: real times, on a shop and TPC-H.

``python -m benchmarks indexes [shop] [tpch]`` runs for some minutes. TPC-H needs its generator, from any
environment: ``pip install tpchgen-cli``, or ``TPCHGEN=/path/to/tpchgen-cli``.
"""

import contextlib
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from pathlib import Path

import psycopg

from pitstop.advisor.indexes import Advisor, WorkloadStatement, advise, prove, read_workload
from pitstop.advisor.indexes.scan import read_scans
from pitstop.advisor.indexes.table import read_tables
from pitstop.advisor.whatif import Hypothetical, WhatIf, open_replica, open_whatif
from pitstop.postgres.address import libpq_url, with_database
from pitstop.servers import Servers, create_database, drop_database
from pitstop.servers.private import own_postgresql
from pitstop.statistics import paired_ratio

HERE = Path(__file__).parent
ROUNDS = 9
SLOW_MS = 3_000.0  # is timed once
LONGEST_SECONDS = 20  # counts as that long
TPCH_SCALE = "0.1"
SLOWER_SHARE, SLOWER_MS = 0.05, 1.0
KEPT = "CREATE INDEX CONCURRENTLY"

Connection = psycopg.Connection[tuple[object, ...]]
Times = tuple[list[list[float]], list[list[float]]]


def greedy(whatif: WhatIf, workload: Sequence[WorkloadStatement]) -> list[str]:
    """The rival: B-trees of one and two columns; take what lowers the geometric mean, until 1% is left."""
    found = whatif.make(_plain_candidates(whatif, workload))
    made = [each for each in found if isinstance(each, Hypothetical)]
    reads = [each for each in workload if each.verb in ("select", "with")]
    costs: dict[tuple[str, tuple[str, ...]], float] = {}

    def cost(text: str, shown: Sequence[Hypothetical]) -> float:
        relevant = [each for each in shown if each.table.rpartition(".")[2] in text]
        key = (text, tuple(sorted(each.ddl for each in relevant)))
        if key not in costs:
            whatif.show(relevant)
            costs[key] = whatif.plan(text)["Total Cost"]
        return costs[key]

    def mean(shown: Sequence[Hypothetical]) -> float:
        return geometric([cost(each.text, shown) for each in reads], [each.weight for each in reads])

    chosen: list[Hypothetical] = []
    best = mean(chosen)
    while True:
        tried = [(mean([*chosen, each]), each.ddl, each) for each in made if each not in chosen]
        least, _, one = min(tried, key=lambda each: each[:2])
        if least > 0.99 * best:
            return [each.ddl for each in chosen]
        best, chosen = least, [*chosen, one]


def _plain_candidates(whatif: WhatIf, workload: Sequence[WorkloadStatement]) -> list[str]:
    tables = read_tables(whatif.connection)
    columns = {name: list(table.columns) for name, table in tables.items()}
    found: dict[str, None] = {}
    for statement in workload:
        for scan in read_scans(whatif.logical_plan(statement.text), columns):
            table = tables[f"{scan.schema}.{scan.table}"]
            names = [each.subject for each in scan.clauses if each.is_column]
            names += [
                subject for order in scan.orders for subject, _ in order.keys if subject in table.columns
            ]
            used = list(dict.fromkeys(name for name in names if table.columns[name].type != "jsonb"))
            for one in used:
                found[f"CREATE INDEX ON {table.name} ({one})"] = None
                for two in used:
                    if two != one:
                        found[f"CREATE INDEX ON {table.name} ({one}, {two})"] = None
    return list(found)


def geometric(values: Sequence[float], weights: Sequence[float]) -> float:
    """The weighted geometric mean."""
    return math.exp(
        sum(w * math.log(max(v, 1e-3)) for v, w in zip(values, weights, strict=True)) / sum(weights)
    )


def race(name: str, servers: Servers, workload: list[WorkloadStatement], source: str) -> None:
    """Advise, prove, build each on a clone, and time each statement there and on the original, in turn."""
    url = with_database(libpq_url(servers.sync_database_url), source)
    sides: dict[str, list[str]] = {"none": []}
    asks = (("greedy", greedy), ("pitstop", _pitstop), ("proven", partial(_proven, url, servers)))
    for side, ask in asks:
        begun = time.perf_counter()
        with open_whatif(url, servers=servers) as whatif:
            sides[side] = ask(whatif, workload)
        print(f"{name}: {side} advises {len(sides[side])} indexes in {time.perf_counter() - begun:.1f} s")
        for ddl in sides[side]:
            print(f"    {ddl}")
    urls = {side: _built(url, f"{source}_{side}", source, ddls) for side, ddls in sides.items()}
    times = _times(urls, workload)
    _report(name, workload, times)
    for side in sides:
        drop_database(url, f"{source}_{side}")


def _pitstop(whatif: WhatIf, workload: Sequence[WorkloadStatement]) -> list[str]:
    advice = advise(whatif, workload)
    planned = [each for each in advice.statements if not each.problem]
    print(f"    {len(planned)} of {len(workload)} statements planned, {advice.candidates} candidates")
    return [each.ddl.replace(KEPT, "CREATE INDEX") for each in advice.indexes]


def _proven(url: str, servers: Servers, whatif: WhatIf, workload: Sequence[WorkloadStatement]) -> list[str]:
    """What is left of the advice when it is proven, and why the rest is not."""
    advisor = Advisor(whatif)
    advice = advisor.advise(workload)
    with open_replica(url, servers=servers) as replica:
        proof = prove(advice, replica, others=lambda harms: advisor.advise(workload, without=harms))
    for each in proof.indexes:
        if not each.is_kept:
            print(f"    not worth having: {each.ddl}: {each.reason}")
    return [each.replace(KEPT, "CREATE INDEX") for each in proof.kept]


def _built(url: str, name: str, source: str, ddls: Sequence[str]) -> str:
    drop_database(url, name)
    made = libpq_url(create_database(url, name, template=source))
    with psycopg.connect(made, autocommit=True) as connection:
        before = _bytes(connection)
        for ddl in ddls:
            connection.execute(ddl)  # type: ignore[call-overload]
        connection.execute("VACUUM ANALYZE")
        print(f"    {name}: {(_bytes(connection) - before) / 1024 / 1024:,.1f} MiB of indexes")
    return made


def _bytes(connection: Connection) -> int:
    row = connection.execute("SELECT sum(pg_relation_size(indexrelid))::int8 FROM pg_index").fetchone()
    return int(str(row[0])) if row else 0


def _times(urls: dict[str, str], workload: Sequence[WorkloadStatement]) -> dict[str, Times]:
    """What each side takes, and in turn with it the side without indexes; writes are rolled back.

    Two at a time: the tables of more would drive each other out of the server's memory.
    """
    times: dict[str, Times] = {side: ([], []) for side in urls if side != "none"}
    connections = {side: psycopg.connect(url) for side, url in urls.items()}
    for statement in workload:
        for side, found in times.items():
            pair = (connections["none"], connections[side])
            for each, taken in zip(found, _in_turn(pair, statement.text), strict=True):
                each.append(taken)
    for connection in connections.values():
        connection.close()
    return times


def _in_turn(pair: tuple[Connection, Connection], statement: str) -> tuple[list[float], list[float]]:
    """Milliseconds of each round on both; what is slow is timed once."""
    taken: tuple[list[float], list[float]] = ([], [])
    for number in range(ROUNDS + 1):
        for side in (0, 1) if number % 2 else (1, 0):
            if not (taken[side] and taken[side][-1] > SLOW_MS):
                taken[side].append(_time(pair[side], statement))
    first, second = (each if each[-1] > SLOW_MS else each[1:] for each in taken)  # the first fills the caches
    return first, second


def _time(connection: Connection, statement: str) -> float:
    begun = time.perf_counter()
    with contextlib.suppress(psycopg.errors.QueryCanceled):
        connection.execute(f"SET LOCAL statement_timeout = '{LONGEST_SECONDS}s'")
        connection.execute(statement)  # type: ignore[call-overload]
    taken = (time.perf_counter() - begun) * 1000
    connection.rollback()
    return taken


def _report(name: str, workload: Sequence[WorkloadStatement], times: dict[str, Times]) -> None:
    none = [list(chain(*each)) for each in zip(*(before for before, _ in times.values()), strict=True)]
    medians = {"none": [statistics.median(each) for each in none]}
    medians |= {side: [statistics.median(each) for each in after] for side, (_, after) in times.items()}
    weights = [each.weight for each in workload]
    print(f"\n{name}: milliseconds, medians of {ROUNDS} rounds in turn with the side without indexes")
    for number, statement in enumerate(workload):
        shown = "".join(f"{medians[side][number]:>11.2f}" for side in medians)
        print(f"{shown}  {' '.join(statement.text.split())[:70]}")
    print("".join(f"{side:>11}" for side in medians))
    print(
        "".join(f"{geometric(each, [1] * len(each)):>11.3f}" for each in medians.values())
        + "  geometric mean"
    )
    print("".join(f"{geometric(each, weights):>11.3f}" for each in medians.values()) + "  weighted")
    totals = [sum(w * v for w, v in zip(weights, each, strict=True)) for each in medians.values()]
    print("".join(f"{each / 1000:>11.1f}" for each in totals) + "  weighted seconds")
    for side, (before, after) in times.items():
        pairs = zip(before, after, strict=True)
        worse = [number for number, pair in enumerate(pairs, 1) if _is_worse(*pair)]
        print(f"{side}: slower by more than 5% and 1 ms, interval without 0 (limit 0): {len(worse)} {worse}")


def _is_worse(before: list[float], after: list[float]) -> bool:
    ratio = paired_ratio(after, before) if len(after) == len(before) else None
    if ratio is None or ratio.low is None:  # one side was too slow to be timed more than once
        return statistics.median(after) > 2 * statistics.median(before)
    slower = statistics.median(after) - statistics.median(before)
    return ratio.low > 1 and ratio.value > 1 + SLOWER_SHARE and slower > SLOWER_MS


def shop(servers: Servers) -> None:
    """The shop of many tenants."""
    _load(servers, "index_shop", lambda connection: connection.execute(_text("index_shop/schema.sql")))
    race("shop", servers, read_workload(HERE / "index_shop" / "workload.sql"), "index_shop")


def tpch(servers: Servers) -> None:
    """TPC-H at a tenth of its first scale."""
    program = os.environ.get("TPCHGEN") or shutil.which("tpchgen-cli")
    if program is None:
        print("tpch: left out, there is no tpchgen-cli: pip install tpchgen-cli")
        return
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run(
            [program, "csv", "-s", TPCH_SCALE, "--output-dir", directory], check=True, capture_output=True
        )

        def fill(connection: Connection) -> None:
            connection.execute(_text("tpch/schema.sql"))
            for file in sorted(Path(directory).glob("*.csv")):
                with connection.cursor().copy(f"COPY {file.stem} FROM STDIN (FORMAT csv, HEADER)") as copy:  # type: ignore[call-overload]
                    copy.write(file.read_bytes())

        _load(servers, "tpch", fill)
    race("TPC-H", servers, read_workload(HERE / "tpch" / "queries.sql"), "tpch")


def _load(servers: Servers, name: str, fill: Callable[[Connection], object]) -> None:
    url = libpq_url(create_database(servers.sync_database_url, name))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SET synchronous_commit = on"
        )  # else the vacuum cannot know yet that it is all visible
        fill(connection)
        connection.execute("VACUUM (FREEZE, ANALYZE)")


def _text(name: str) -> str:
    return (HERE / name).read_text("utf-8")  # type: ignore[return-value]


def main(arguments: Sequence[str] = ()) -> int:
    """Run the named races, or both."""
    with own_postgresql() as servers:
        for name in arguments or ("shop", "tpch"):
            {"shop": shop, "tpch": tpch}[name](servers)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
