"""What Pitstop knows about PostgreSQL: statements and plans, read and judged. It changes nothing."""

from pitstop.postgres import explain
from pitstop.postgres.fingerprint import Fingerprint, fingerprint
from pitstop.postgres.placeholders import compared_columns, only_pages, split_literals
from pitstop.postgres.summary import abbreviate, redact

__all__ = [
    "Fingerprint",
    "abbreviate",
    "compared_columns",
    "explain",
    "fingerprint",
    "only_pages",
    "redact",
    "split_literals",
]
