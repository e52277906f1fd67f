"""Fixtures of the pool's tests."""

from tests.pooler import pooled_url

__all__ = ["pooled_url"]
