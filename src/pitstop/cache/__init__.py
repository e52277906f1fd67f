"""The cache that never serves stale data."""
