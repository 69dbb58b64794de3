"""What all tests share: where cases and third-party data are."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings

TESTS = Path(__file__).parent
SOAK = TESTS / "soak"

settings.register_profile("opsledger", deadline=None)  # machines are shared, so no example is timed
settings.load_profile("opsledger")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--cases", type=Path, default=TESTS / "conformance" / "cases", help="folder of conformance cases (*.json)")
    parser.addoption("--soak", action="store_true", help="run the long tests of tests/soak")
    parser.addoption("--update-golden", action="store_true", help="add the golden files that are missing; none is ever changed")


def pytest_configure(config: pytest.Config) -> None:
    asked = [Path(argument.partition("::")[0]).resolve() for argument in config.args]
    if not config.getoption("--soak") and any(path.is_relative_to(SOAK) for path in asked):
        raise pytest.UsageError("The tests of tests/soak take long and run only where that is asked for: add --soak.")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return True if collection_path == SOAK and not config.getoption("--soak") else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end of every run what it did not show: nothing is skipped in silence."""
    skipped = Counter(str(report.longrepr[2]).removeprefix("Skipped: ") for report in terminalreporter.getreports("skipped"))
    if skipped:
        terminalreporter.section("NOT SHOWN BY THIS RUN", red=True, bold=True)
        for reason, count in skipped.items():
            terminalreporter.write_line(f"{count} test{'s' if count > 1 else ''} skipped: {reason}", red=True)
