"""What Alembic's autogenerate is told: of partitions, materialized views, and builds beside writers."""

from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, TypedDict

from sqlalchemy import Connection, text

from pitstop.errors import require

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext

__all__ = ["MigrationOptions", "migration_options"]

_NOT_TABLES = text(
    "select nspname, relname, relispartition from pg_class "
    "join pg_namespace on pg_namespace.oid = relnamespace where relispartition or relkind = 'm'"
)


class MigrationOptions(TypedDict):
    """Arguments for ``context.configure``."""

    include_object: Callable[..., bool]
    process_revision_directives: Callable[..., None]
    transaction_per_migration: bool


def migration_options(
    connection: Connection | None,
    *,
    keep: Iterable[str] = (),
    include_object: Callable[..., bool] | None = None,
    process_revision_directives: Callable[..., None] | None = None,
) -> MigrationOptions:
    """Arguments for ``context.configure`` in ``env.py``.

    Autogenerate then drops no partition, makes no table where a materialized view of that name is, and
    writes indexes of tables that are there already as ``CREATE INDEX CONCURRENTLY``::

        context.configure(connection=connection, target_metadata=metadata, **migration_options(connection))

    Args:
        connection: that is migrated; None in offline mode.
        keep: patterns of indexes that stay although no model declares them: ``["ix_orders_*"]``.
        include_object: your own, asked first.
        process_revision_directives: your own, called first.

    Raises:
        MissingExtra: Alembic is not installed.
    """
    require("alembic", extra="schema", what="migrations")
    partitions, views = _not_tables(connection)
    kept = tuple(keep)

    def included(item: Any, name: str | None, kind: str, reflected: bool, compare_to: Any) -> bool:
        if include_object is not None and not include_object(item, name, kind, reflected, compare_to):
            return False
        if kind == "table":
            return (item.schema, name) not in (partitions if reflected else views)
        left_over = kind == "index" and reflected and compare_to is None
        return not (left_over and any(fnmatchcase(name or "", each) for each in kept))

    def processed(context: Any, revision: Any, directives: list[Any]) -> None:
        if process_revision_directives is not None:
            process_revision_directives(context, revision, directives)
        _rewriter()(context, revision, directives)

    return {
        "include_object": included,
        "process_revision_directives": processed,
        "transaction_per_migration": True,  # CONCURRENTLY stands outside of a transaction
    }


_Names = set[tuple[str | None, str]]


def _not_tables(connection: Connection | None) -> tuple[_Names, _Names]:
    """The partitions, and the materialized views; those of the default schema without it as well."""
    found: tuple[_Names, _Names] = (set(), set())
    if connection is None:
        return found
    began = connection.in_transaction()
    default = connection.dialect.default_schema_name
    for schema, name, is_partition in connection.execute(_NOT_TABLES):
        names = found[0 if is_partition else 1]
        names.update({(schema, name)} | ({(None, name)} if schema == default else set()))
    if not began:
        connection.rollback()  # or CONCURRENTLY would wait for the transaction that this has begun
    return found


def _rewriter() -> Callable[..., None]:
    from alembic.autogenerate import rewriter
    from alembic.operations import ops

    rewrites = rewriter.Rewriter()
    made: set[tuple[str | None, str]] = set()

    @rewrites.rewrites(ops.CreateTableOp)
    def _table(_context: Any, _revision: Any, operation: ops.CreateTableOp) -> ops.CreateTableOp:
        made.add((operation.schema, operation.table_name))  # it is empty: its indexes hold nobody up
        return operation

    @rewrites.rewrites(ops.CreateIndexOp)
    def _created(_context: Any, _revision: Any, operation: ops.CreateIndexOp) -> Any:
        return operation if (operation.schema, operation.table_name) in made else _beside(operation)

    @rewrites.rewrites(ops.DropIndexOp)
    def _dropped(_context: Any, _revision: Any, operation: ops.DropIndexOp) -> Any:
        return _beside(operation)

    return rewrites


def _beside(operation: Any) -> Any:
    """The same operation beside writers and outside of a transaction."""
    from alembic.autogenerate.render import render_op_text, renderers
    from alembic.operations.ops import MigrateOperation

    class Beside(MigrateOperation):
        def __init__(self, inner: Any) -> None:
            self.inner = inner

    @renderers.dispatch_for(Beside, replace=True)
    def _rendered(context: "AutogenContext", beside: Beside) -> str:
        return f"with op.get_context().autocommit_block(): {render_op_text(context, beside.inner)}"

    operation.kw["postgresql_concurrently"] = True
    return Beside(operation)
