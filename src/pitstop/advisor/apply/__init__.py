"""Changes of schema objects carried out on a live database: writers are not blocked, a kill does no harm."""

from pitstop.advisor.apply.applying import apply_changes, plan_changes
from pitstop.advisor.apply.news import News, Patience

__all__ = ["News", "Patience", "apply_changes", "plan_changes"]
