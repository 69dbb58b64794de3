"""What all tests share: where cases and third-party data are."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

TESTS = Path(__file__).parent

settings.register_profile("opsledger", deadline=None)  # machines are shared, so no example is timed
settings.load_profile("opsledger")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--cases", type=Path, default=TESTS / "conformance" / "cases", help="folder of conformance cases (*.json)")
    parser.addoption("--soak", action="store_true", help="run the long tests of tests/soak")
    parser.addoption("--update-golden", action="store_true", help="add the golden files that are missing; none is ever changed")
