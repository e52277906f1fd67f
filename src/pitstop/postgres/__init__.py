"""What Pitstop knows about PostgreSQL: how statements are fingerprinted and read. Read-only, no driver."""

from pitstop.postgres.fingerprint import Fingerprint, fingerprint
from pitstop.postgres.placeholders import compared_columns, only_pages, split_literals
from pitstop.postgres.summary import abbreviate, redact

__all__ = [
    "Fingerprint",
    "abbreviate",
    "compared_columns",
    "fingerprint",
    "only_pages",
    "redact",
    "split_literals",
]
