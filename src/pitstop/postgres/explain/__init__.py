"""Plans of PostgreSQL: read in any form, counted right, and judged."""

from pitstop.postgres.explain.finding import Finding
from pitstop.postgres.explain.node import Node
from pitstop.postgres.explain.plan import Plan, Trigger, parse, parse_all

__all__ = ["Finding", "Node", "Plan", "Trigger", "parse", "parse_all"]
