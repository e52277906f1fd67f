"""The copy: a database without rows whose planner decides as the original's would, with indexes made up."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from pitstop.advisor.whatif.asking import explaining, first_line, logical_plan, told_plan
from pitstop.advisor.whatif.estimate import Estimate, Shape, estimate, shapes
from pitstop.advisor.whatif.files import RelationFile
from pitstop.advisor.whatif.sample import Samples
from pitstop.advisor.whatif.target import Target, question
from pitstop.errors import WhatIfError
from pitstop.postgres.metapage import PAGE_BYTES, write_btree_height, write_gin_counts

__all__ = ["Hypothetical", "WhatIf"]

Row = dict[str, Any]
Connection = psycopg.Connection[Row]

_TABLE = re.compile(
    r"^create\s+index\s+on\s+(?:only\s+)?(?P<table>(?:\"(?:[^\"]|\"\")+\"|[\w.$])+)\s+", re.IGNORECASE
)
_PLAN_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Hypothetical:
    """An index that exists in the copy only.

    Attributes:
        ddl: that made it.
        names: as plans call it, and its partitions.
        oids: in the copy, those of partitions included.
        table: that it is on, quoted with its schema.
        method: of access.
        size_bytes: how large it would be.
        rows: how many it would have; table_rows: how many its table has.
        entries: of one row, on average: one, but for GIN.
    """

    ddl: str
    names: tuple[str, ...]
    oids: tuple[int, ...]
    table: str
    method: str
    size_bytes: int
    rows: float
    table_rows: float
    entries: float


class WhatIf:
    """A copy that can be asked for plans.

    Args:
        target: the original.
        address: of the copy, as a superuser.
        data: the data directory of its server.
        scale: how many times larger its tables are than the original's.

    Attributes:
        failures: what of the original could not be restored here, as the server said it.
    """

    def __init__(
        self, target: Target, address: str, data: Path, *, scale: float, failures: Sequence[str]
    ) -> None:
        self.failures = tuple(failures)
        self._address = address
        self._data = data
        self._pages = dict(target.pages)
        self._shown: set[int] = set()
        self._hidden: set[int] = set()
        self._connection = self._connect()
        self._grow(scale)
        self._samples = Samples(target, self._connect(), scale=scale)
        self._stretch()
        self._count()
        self._show_heights()

    def close(self) -> None:
        """End the connections."""
        self._samples.close()
        self._connection.close()

    @property
    def connection(self) -> Connection:
        """For questions about the catalog of the copy, which is the original's."""
        return self._connection

    def table_bytes(self) -> dict[str, int]:
        """The sizes of all relations, indexes of the original included, by their quoted names."""
        return {name: pages * PAGE_BYTES for name, pages in self._pages.items()}

    def fresh_sizes(self) -> dict[str, int]:
        """Bytes that each B-tree of the original would have if it were built anew, by its quoted name.

        Those with expressions are left out: no statistics tell how wide these are.
        """
        names = {each.oid: each.name for each in self._files() if each.method == "btree"}
        known = shapes(self._connection, list(names))
        plain = [each for each in known if not any(column["is_expression"] for column in each.columns)]
        return {names[each.oid]: self._estimate(each, "").pages * PAGE_BYTES for each in plain}

    def plan(self, statement: str, *, verbose: bool = False) -> Row:
        """The plan of a statement with the indexes that are shown now.

        Args:
            statement: its parameters, if it has some, written ``$1``.
            verbose: whether its nodes tell the schema of their table as well.

        Raises:
            WhatIfError: it cannot be planned; the message is the server's.
        """
        try:
            asked = explaining(statement, f"generic_plan{', verbose' * verbose}")
            plan: Row = told_plan(self._connection.execute(asked).fetchone())["Plan"]
            return plan
        except psycopg.Error as error:
            raise WhatIfError(f"cannot plan {statement[:60]!r}: {first_line(error)}") from error

    def logical_plan(self, statement: str) -> Row:
        """A plan without any index: each scan, join and sort stands there with the conditions that it has.

        Raises:
            WhatIfError: as for :meth:`plan`.
        """
        return logical_plan(self._connection, statement)

    def make(self, ddls: Iterable[str]) -> "list[Hypothetical | WhatIfError]":
        """Make indexes up, hidden from the planner until :meth:`show`.

        Args:
            ddls: ``CREATE INDEX ON table ...`` without a name.

        Returns:
            for each an index, or why it cannot be.
        """
        self._shrink()
        with self._connect() as connection:
            built = [_build(connection, ddl) for ddl in ddls]
        self._reconnect()
        self._stretch()
        files = {each.oid: each for each in self._files()}
        made = [each if isinstance(each, WhatIfError) else self._measure(*each, files) for each in built]
        self._stretch()
        return made

    def show(self, indexes: Iterable[Hypothetical], *, without: Iterable[int] = ()) -> None:
        """Let the planner see these of the indexes that were made up, and no others.

        Args:
            indexes: of :meth:`make`.
            without: oids of indexes of the original that it shall not see.
        """
        shown, hidden = {oid for each in indexes for oid in each.oids}, set(without)
        visible = (shown - self._shown) | (self._hidden - hidden)
        changed = visible | (self._shown - shown) | (hidden - self._hidden)
        if changed:
            self._connection.execute(question("set_visible"), {"shown": list(visible), "all": list(changed)})
        self._shown, self._hidden = shown, hidden

    def _measure(self, ddl: str, rows: list[Row], files: dict[int, RelationFile]) -> Hypothetical:
        oids = tuple(row["oid"] for row in rows)
        definition = ddl[_head(ddl).end() :]
        found = [(shape, self._estimate(shape, definition)) for shape in shapes(self._connection, oids)]
        for shape, foretold in found:
            self._pages[files[shape.oid].name] = foretold.pages
            self._connection.execute(
                "update pg_class set relpages = %s, reltuples = %s where oid = %s",
                [foretold.pages, foretold.rows, shape.oid],
            )
            _write_first_page(files[shape.oid], foretold)
        return Hypothetical(
            ddl=ddl,
            names=tuple(row["name"] for row in rows),
            oids=oids,
            table=rows[0]["table"],
            method=found[0][0].method if found else "",
            size_bytes=sum(each.pages for _, each in found) * PAGE_BYTES,
            rows=sum(each.rows for _, each in found),
            table_rows=sum(shape.rows for shape, _ in found),
            entries=max((each.entries for _, each in found), default=1.0),
        )

    def _estimate(self, shape: Shape, definition: str) -> Estimate:
        return estimate(
            shape, self._samples, table_pages=self._pages.get(shape.table, 0), definition=definition
        )

    def _connect(self) -> Connection:
        connection: Connection = psycopg.connect(
            self._address, autocommit=True, row_factory=dict_row, prepare_threshold=None
        )
        connection.execute(f"set statement_timeout = '{_PLAN_SECONDS}s'")
        return connection

    def _reconnect(self) -> None:
        """A new server process: one that is older remembers which files there were."""
        self._connection.close()
        self._connection = self._connect()

    def _files(self) -> list[RelationFile]:
        rows = self._connection.execute(question("relation_files"))
        return [
            RelationFile(row["name"], row["kind"], row["method"], self._data / row["path"], row["oid"])
            for row in rows
        ]

    def _stretch(self) -> None:
        for file in self._files():
            file.stretch(self._pages.get(file.name, 0))

    def _shrink(self) -> None:
        for file in self._files():
            if file.kind != "i" and file.name in self._pages:
                file.shrink()

    def _show_heights(self) -> None:
        """Let the original's indexes be as high as they are there; the restore may have read them already."""
        indexes = [each for each in self._files() if each.method == "btree" and each.name in self._pages]
        known = {each.oid: each for each in shapes(self._connection, [each.oid for each in indexes])}
        self._samples.evict([each.oid for each in indexes])
        for file in indexes:
            write_btree_height(file.path, known[file.oid].height(self._pages[file.name]))

    def _count(self) -> None:
        """Write down what the planner takes for the rows of tables that were never analysed."""
        for row in self._connection.execute(question("uncounted_tables")).fetchall():
            if pages := self._pages.get(row["name"], 0):
                self._connection.execute(
                    "update pg_class set relpages = %s, reltuples = %s where oid = %s",
                    [pages, self.plan(f"select from {row['name']}")["Plan Rows"], row["oid"]],
                )

    def _grow(self, scale: float) -> None:
        if scale == 1:
            return
        grown = [row["oid"] for row in self._connection.execute(question("grown_tables"))]
        for name in ("scale_keys", "scale_tables"):
            self._connection.execute(question(name), {"scale": scale, "grown": grown})
        for file in self._files():
            if file.oid in grown and file.name in self._pages:
                self._pages[file.name] = int(self._pages[file.name] * scale)


def _head(ddl: str) -> "re.Match[str]":
    found = _TABLE.match(ddl)
    if found is None:
        raise WhatIfError(f"not CREATE INDEX ON table ...: {ddl!r}")
    return found


def _build(connection: Connection, ddl: str) -> "tuple[str, list[Row]] | WhatIfError":
    try:
        with connection.transaction():
            table = _head(ddl)["table"]
            before = connection.execute("select max(oid::int8) as oid from pg_class").fetchone()
            connection.execute(ddl)
            since = {"table": table, "before": before["oid"] if before else 0}
            rows = connection.execute(question("made_indexes"), since).fetchall()
            connection.execute(question("set_visible"), {"shown": [], "all": [row["oid"] for row in rows]})
            return ddl, rows
    except psycopg.Error as error:
        return WhatIfError(f"{ddl}: {first_line(error)}")


def _write_first_page(file: RelationFile, foretold: Estimate) -> None:
    if file.method == "btree":
        write_btree_height(file.path, foretold.height)
    elif file.method == "gin" and foretold.gin is not None:
        write_gin_counts(
            file.path,
            pages=foretold.gin.pages,
            entry_pages=foretold.gin.entry_pages,
            entries=foretold.gin.entries,
        )
