"""Changes of schema objects: read from SQL, planned on a database as it is, written as a migration."""

from pitstop.schema.change import (
    Analyze,
    AttachIndex,
    Change,
    CreateExtension,
    CreateIndex,
    DropIndex,
    ReindexIndex,
)
from pitstop.schema.migration import migration_options
from pitstop.schema.name import Name
from pitstop.schema.plan import Plan, make_plan, reverted
from pitstop.schema.revision import write_revision
from pitstop.schema.script import Written, parse_change, read_script
from pitstop.schema.state import index_state, rebuild_leftovers
from pitstop.schema.step import Step
from pitstop.schema.table_change import (
    CreateStatistics,
    DropStatistics,
    SetOptions,
    SetStatistics,
    ValidateConstraint,
)

__all__ = [
    "Analyze",
    "AttachIndex",
    "Change",
    "CreateExtension",
    "CreateIndex",
    "CreateStatistics",
    "DropIndex",
    "DropStatistics",
    "Name",
    "Plan",
    "ReindexIndex",
    "SetOptions",
    "SetStatistics",
    "Step",
    "ValidateConstraint",
    "Written",
    "index_state",
    "make_plan",
    "migration_options",
    "parse_change",
    "read_script",
    "rebuild_leftovers",
    "reverted",
    "write_revision",
]
