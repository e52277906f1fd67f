"""What Alembic runs: over the connection that ``migrate`` hands in."""

from alembic import context

from pitstop_services.inventory.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    transaction_per_migration=True,  # CREATE INDEX CONCURRENTLY must stand outside of one
)
with context.begin_transaction():
    context.run_migrations()
