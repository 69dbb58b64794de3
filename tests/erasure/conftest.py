"""Two people in a ledger of each kind: p-1 with words in two tickets and a note, p-2 with words in one of their own."""

from __future__ import annotations

import pytest
from people import Office

from opsledger.app import OpsLedger
from opsledger.testing.plugin import Clock


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest) -> OpsLedger:
    made: OpsLedger = request.getfixturevalue("opsledger_sqlite" if request.param == "sqlite" else "opsledger_pg")
    return made


@pytest.fixture
def office(ledger: OpsLedger, opsledger_clock: Clock) -> Office:
    made = Office(ledger, opsledger_clock)
    made.begin()
    return made
