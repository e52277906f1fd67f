"""Read models: one statement, derived from mapped class and response model, whose JSON PostgreSQL makes.

Names of SQLAlchemy that are not in its documentation and are used here, checked against the oldest and newest
supported version by the tests: ``Session._autoflush``, ``Session.dispatch.do_orm_execute``,
``Select._set_propagate_attrs``, ``__clause_element__`` of a relationship attribute, ``ClauseAdapter``, and
``positiontup``, ``post_compile_params``, ``literal_execute_params``, ``escaped_bind_names`` of a compiled
statement.
"""

from pitstop.sql.read_model.asked import Page, ReadOne, ReadPage
from pitstop.sql.read_model.model import ReadModel, read_model

__all__ = ["Page", "ReadModel", "ReadOne", "ReadPage", "read_model"]
