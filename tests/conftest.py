"""What all tests share: where cases and third-party data are."""

from __future__ import annotations

from pathlib import Path

import pytest

TESTS = Path(__file__).parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--cases", type=Path, default=TESTS / "conformance" / "cases", help="folder of conformance cases (*.json)")
    parser.addoption("--soak", action="store_true", help="run the long tests of tests/soak")
