"""Index advice for a whole workload, asked of a copy of the database's statistics."""

from pitstop.advisor.indexes.advice import Advice, AdvisedIndex, AdvisedStatement, Advisor, advise
from pitstop.advisor.indexes.harm import Harm
from pitstop.advisor.indexes.proof import prove
from pitstop.advisor.indexes.proven import IndexEffect, Proof, ProvenIndex, ProvenStatement
from pitstop.advisor.indexes.workload import (
    WorkloadStatement,
    observed_statements,
    read_workload,
    workload_of_record,
    workload_of_server,
)

__all__ = [
    "Advice",
    "AdvisedIndex",
    "AdvisedStatement",
    "Advisor",
    "Harm",
    "IndexEffect",
    "Proof",
    "ProvenIndex",
    "ProvenStatement",
    "WorkloadStatement",
    "advise",
    "observed_statements",
    "prove",
    "read_workload",
    "workload_of_record",
    "workload_of_server",
]
