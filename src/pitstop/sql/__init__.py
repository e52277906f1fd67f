"""SQL observation (query counter, trace of a request or operation, N+1 detector) and peer loading."""

from pitstop.sql.counter import Observer, Queries, Target, count_queries, observe
from pitstop.sql.location import Location
from pitstop.sql.peers import PeerLoading, PeerTarget, peer_loading
from pitstop.sql.records import NPlusOne, Statement, StatementGroup
from pitstop.sql.trace import Trace

__all__ = [
    "Location",
    "NPlusOne",
    "Observer",
    "PeerLoading",
    "PeerTarget",
    "Queries",
    "Statement",
    "StatementGroup",
    "Target",
    "Trace",
    "count_queries",
    "observe",
    "peer_loading",
]
