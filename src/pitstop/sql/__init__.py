"""SQL: query counter, trace of a request or operation, N+1 detector, peer loading, read models."""

from pitstop.location import Location
from pitstop.sql.counter import Observer, Queries, Target, count_queries, observe
from pitstop.sql.peers import PeerLoading, PeerTarget, peer_loading
from pitstop.sql.read_model import Page, ReadModel, ReadOne, ReadPage, read_model
from pitstop.sql.records import NPlusOne, Statement, StatementGroup
from pitstop.sql.trace import Trace

__all__ = [
    "Location",
    "NPlusOne",
    "Observer",
    "Page",
    "PeerLoading",
    "PeerTarget",
    "Queries",
    "ReadModel",
    "ReadOne",
    "ReadPage",
    "Statement",
    "StatementGroup",
    "Target",
    "Trace",
    "count_queries",
    "observe",
    "peer_loading",
    "read_model",
]
