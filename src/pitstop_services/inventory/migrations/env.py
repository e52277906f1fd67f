"""What Alembic runs."""

from pitstop_services.inventory.models import Base
from pitstop_services.migration import run

run(Base.metadata)
