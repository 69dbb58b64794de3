"""The machines stand beside the short tests that they make; here they are found from the outside."""

from __future__ import annotations

import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]

sys.path[:0] = [str(TESTS / folder) for folder in ("domain", "erasure", "projections", "replay")]
