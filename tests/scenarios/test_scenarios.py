"""The operating model, told: each file of this folder is a history and the rows that it must give, on SQLite and on PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from opsledger.app import OpsLedger
from opsledger.policies.instants import iso, micros
from opsledger.testing.plugin import Clock
from opsledger.testing.scenarios import read_scenario, run_scenario

SCENARIOS = sorted(Path(__file__).parent.glob("*.toml"))
each = pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)


@pytest.fixture
def opsledger_clock(path: Path) -> Clock:
    """Give the clock of a ledger that begins when the first of the scenario is recorded."""
    return Clock(iso(micros(read_scenario(path).begins_at)))


def test_there_are_scenarios() -> None:
    assert len(SCENARIOS) >= 14


@each
def test_on_sqlite(path: Path, opsledger_sqlite: OpsLedger, opsledger_clock: Clock) -> None:
    run_scenario(path, opsledger_sqlite, opsledger_clock)


@each
def test_on_postgresql(path: Path, opsledger_pg: OpsLedger, opsledger_clock: Clock) -> None:
    run_scenario(path, opsledger_pg, opsledger_clock)
