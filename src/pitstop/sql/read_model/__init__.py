"""Read models: one statement, derived from mapped class and response model, whose JSON PostgreSQL makes."""

from pitstop.sql.read_model.model import Page, ReadModel, ReadOne, ReadPage, read_model

__all__ = ["Page", "ReadModel", "ReadOne", "ReadPage", "read_model"]
