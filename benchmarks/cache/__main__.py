"""``python -m benchmarks.cache``: the same as ``python -m benchmarks cache``."""

import sys

from benchmarks.cache import main

sys.exit(main(sys.argv[1:]))
