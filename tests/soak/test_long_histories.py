"""The machines once more, with more and longer histories than a test run has time for: `make soak`, before a release."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from both_databases import BothDatabases
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test
from test_any_order import Office
from test_availability_machine import Service
from test_change_machine import Changes
from test_evidence_machine import Evidence
from test_governance_machine import Governance
from test_incident_machine import Incidents
from test_maintenance_machine import Credits, Windows
from test_recovery_machine import STEPS, live
from test_revenue_machine import Revenues
from test_subscription_machine import Subscriptions
from test_ticket_machine import Tickets

LONG = {
    Tickets: 300,
    Incidents: 300,
    Governance: 120,
    Changes: 300,
    Windows: 300,
    Credits: 300,
    Subscriptions: 300,
    Evidence: 120,
    Service: 120,
    Revenues: 80,
    Office: 300,
}
"""How many histories of each machine."""


def long(examples: int) -> settings:
    return settings(max_examples=examples, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize(("machine", "examples"), LONG.items(), ids=lambda given: getattr(given, "__name__", None))
def test_long_histories_of_one_concept(machine: type[RuleBasedStateMachine], examples: int) -> None:
    run_state_machine_as_test(machine, settings=long(examples))


@long(150)
@given(steps=st.lists(STEPS, min_size=40, max_size=120))
def test_long_histories_of_recovery(tmp_path_factory: pytest.TempPathFactory, steps: list[Any]) -> None:
    live(tmp_path_factory.mktemp("any"), steps)


def test_long_histories_on_both_databases(opsledger_postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPSLEDGER_KEK_FILE", str(tmp_path / "kek"))
    monkeypatch.setattr(BothDatabases, "postgresql", opsledger_postgres_url, raising=False)
    run_state_machine_as_test(BothDatabases, settings=long(150))
