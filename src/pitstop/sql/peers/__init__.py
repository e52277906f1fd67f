"""Peer loading: a lazy load of one instance loads for all that came with it."""

from pitstop.sql.peers.loading import PeerLoading, peer_loading
from pitstop.sql.peers.target import PeerTarget

__all__ = ["PeerLoading", "PeerTarget", "peer_loading"]
