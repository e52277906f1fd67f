"""What a database would do if it had other indexes or larger tables: asked of a copy without rows."""

from pitstop.advisor.whatif.clone import Hypothetical, WhatIf
from pitstop.advisor.whatif.opening import open_whatif

__all__ = ["Hypothetical", "WhatIf", "open_whatif"]
