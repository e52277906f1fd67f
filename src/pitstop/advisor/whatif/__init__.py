"""What a database would do with other indexes or larger tables: asked of a copy without rows, or with."""

from pitstop.advisor.whatif.clone import Hypothetical, WhatIf
from pitstop.advisor.whatif.opening import open_whatif
from pitstop.advisor.whatif.replica import BuiltIndex, Replica, Run, open_replica

__all__ = ["BuiltIndex", "Hypothetical", "Replica", "Run", "WhatIf", "open_replica", "open_whatif"]
