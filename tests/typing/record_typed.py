"""What a type checker accepts and refuses of `record`: this file is checked, never run.

Each line that must be refused carries the code with which mypy refuses it; mypy warns of a code that it does not need, so both
sides are proven by `mypy --config-file pyproject.toml tests/typing`.
"""

from __future__ import annotations

from datetime import datetime
from typing import assert_type

from opsledger.app import OpsLedger, Receipt
from opsledger.domain import calendar, ticket
from opsledger.domain.ticket import Ticket
from opsledger.policies.support import Priority


def accepted(ledger: OpsLedger, when: datetime) -> None:
    """Decisions with the arguments that they take, whoever acts, also in a batch."""
    support = ledger.by("u-7", role="support")
    assert_type(support.record(ticket.respond, "T-1"), Receipt)
    support.record(ticket.respond, "T-1", message="We look into it")
    support.record(ticket.pause, "T-1", reason="awaiting_customer")
    support.record(ticket.prioritize, "T-1", priority=Priority.HIGH)
    support.record(ticket.merge, "T-1", into_id="T-2", into=ledger.state(Ticket, "T-2"))
    ledger.by("u-7", at=when, key="request-17").record(ticket.resolve, "T-1")
    asked = "Where is the report?"
    support.record(ticket.register, "T-2", customer_id="C-1", requester_id="p-1", channel="email", priority=Priority.LOW, summary=asked)
    ledger.by("u-1").record(calendar.extend, "business", horizon_years=5)
    with ledger.batch() as batch:
        assert_type(batch.by("u-7").record(ticket.note, "T-1", text="Called"), Receipt)


def refused(ledger: OpsLedger) -> None:
    """Arguments that are misspelled, missing, too many or of another type, and what is no decision."""
    support = ledger.by("u-7")
    support.record(ticket.respond, "T-1", mesage="We look into it")  # type: ignore[call-arg]  # misspelled
    support.record(ticket.pause, "T-1")  # type: ignore[call-arg]  # the reason is missing
    support.record(ticket.register, "T-2", customer_id="C-1")  # type: ignore[call-arg]  # much is missing
    support.record(ticket.resume, "T-1", reason="on_hold")  # type: ignore[call-arg]  # one too many
    support.record(ticket.respond, "T-1", "We look into it")  # type: ignore[call-arg]  # business arguments have names
    support.record(ticket.respond)  # type: ignore[call-arg]  # of which ticket?
    support.record(ticket.respond, 1042)  # type: ignore[arg-type]  # ids are text
    support.record(ticket.pause, "T-1", reason="lunch")  # type: ignore[arg-type]  # no such reason
    support.record(ticket.prioritize, "T-1", priority="high")  # type: ignore[arg-type]  # a text is no priority
    support.record(ticket.answer_survey, "T-1", score="5")  # type: ignore[arg-type]
    support.record(ticket.merge, "T-1", into_id="T-2", into="T-2")  # type: ignore[arg-type]  # an id is no state
    support.record(len, "T-1")  # type: ignore[arg-type]  # no decision at all
    support.record(ticket.evolve, "T-1")  # type: ignore[arg-type]  # gives a state, not facts
    support.record("respond", "T-1")  # type: ignore[arg-type]  # a name is no decision
    ledger.by("u-7", when="now")  # type: ignore[call-arg]  # it is called at
    with ledger.batch() as batch:
        batch.by("u-7").record(ticket.note, "T-1", test="Called")  # type: ignore[call-arg]


def read(ledger: OpsLedger) -> None:
    """A state asked for by its class has that class; one asked for by a name is anything."""
    assert_type(ledger.state(Ticket, "T-1"), Ticket)
    ledger.state(Ticket, "T-1").prioritiy  # type: ignore[attr-defined]  # noqa: B018  # misspelled
