"""A small history that the tests of verification and explanation start from."""

from __future__ import annotations

import pytest
from verified import register

from opsledger.app import OpsLedger
from opsledger.domain import ticket
from opsledger.policies.support import Priority
from opsledger.testing.plugin import Clock


@pytest.fixture
def history(opsledger_sqlite: OpsLedger, opsledger_clock: Clock) -> OpsLedger:
    """Two tickets from position 5 on: T-1 at 5, 7, 8 and 10, T-2 at 6 and 9; the tables stand at the newest fact."""
    ledger, actor = opsledger_sqlite, opsledger_sqlite.by("u-7", role="support")
    register(ledger, "T-1")
    opsledger_clock.forward(minutes=1)
    register(ledger, "T-2", Priority.LOW)
    opsledger_clock.forward(minutes=9)
    actor.record(ticket.respond, "T-1", message="We look into it")
    opsledger_clock.forward(minutes=50)
    actor.record(ticket.pause, "T-1", reason="awaiting_customer")
    opsledger_clock.forward(minutes=10)
    actor.record(ticket.respond, "T-2")
    opsledger_clock.forward(minutes=10)
    actor.record(ticket.resume, "T-1")
    ledger.catch_up()
    assert [(row.position, row.stream) for row in ledger.store.page(4, 10)] == [
        (5, "ticket:T-1"),
        (6, "ticket:T-2"),
        (7, "ticket:T-1"),
        (8, "ticket:T-1"),
        (9, "ticket:T-2"),
        (10, "ticket:T-1"),
    ]
    return ledger
