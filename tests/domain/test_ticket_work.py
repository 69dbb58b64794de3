"""Decisions while a ticket is worked on."""

from __future__ import annotations

from opsledger.domain import ticket
from opsledger.policies.support import Priority
from opsledger.testing import Spec, at

spec = Spec("ticket:T-1")
NINE = at("2026-03-02T09:00:00Z")
FIVE_PAST = at("2026-03-02T09:05:00Z")
TEN_PAST = at("2026-03-02T09:10:00Z")
REGISTERED = ticket.Registered(
    registered_at=NINE,
    customer_id="C-1",
    requester_id="p-1",
    channel="email",
    priority=Priority.HIGH,
    summary="The report is empty",
    policy=spec.policy,
    respond_by=at("2026-03-02T10:00:00Z"),
    resolve_by=at("2026-03-02T17:00:00Z"),
    escalate_by=at("2026-03-02T11:00:00Z"),
)
ANSWERED = ticket.Responded(responded_at=FIVE_PAST, agent_id="u-7", requester_id="p-1", update_by=at("2026-03-02T11:05:00Z"))


def test_the_first_response_is_recorded_and_promises_the_next_update() -> None:
    spec.given(REGISTERED).when(ticket.respond, at=FIVE_PAST).then(ANSWERED)


def test_the_same_response_again_adds_nothing() -> None:
    spec.given(REGISTERED, ANSWERED).when(ticket.respond, at=FIVE_PAST).then_nothing()


def test_an_earlier_response_typed_in_late_is_recorded() -> None:
    later = ticket.Responded(responded_at=TEN_PAST, agent_id="u-7", requester_id="p-1", update_by=at("2026-03-02T11:10:00Z"))
    late = ticket.Responded(responded_at=FIVE_PAST, agent_id="u-7", requester_id="p-1", update_by=at("2026-03-02T11:10:00Z"))
    spec.given(REGISTERED, later).when(ticket.respond, at=FIVE_PAST).then(late)


def test_a_resolved_ticket_takes_no_response() -> None:
    resolved = ticket.Resolved(resolved_at=FIVE_PAST, agent_id="u-7", requester_id="p-1")
    spec.given(REGISTERED, resolved).when(ticket.respond, at=TEN_PAST).then_refused("reopen it first")
