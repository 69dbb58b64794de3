"""A ticket of high priority, registered on Monday 2 March 2026 at nine in the morning, and what may have happened to it.

Its first response is promised for ten, its resolution for five in the afternoon; it stays on the first level until eleven.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from opsledger.domain import ticket
from opsledger.policies.support import Priority
from opsledger.testing import Spec, at

spec = Spec("ticket:T-1")
CUSTOMER = "p-1"


def on(wall: str, day: str = "02") -> datetime:
    """Return a time of March 2026, by default of Monday the second."""
    return at(f"2026-03-{day}T{wall}Z" if wall.count(":") == 2 else f"2026-03-{day}T{wall}:00Z")


ASKED: dict[str, Any] = {"customer_id": "C-1", "requester_id": CUSTOMER, "channel": "email", "summary": "The report is empty"}
PEOPLE = {"requested_by": "u-1", "approved_by": "u-2"}

REGISTERED = ticket.Registered(
    **ASKED,
    registered_at=on("09:00"),
    priority=Priority.HIGH,
    policy=spec.policy,
    respond_by=on("10:00"),
    resolve_by=on("17:00"),
    escalate_by=on("11:00"),
)


def registered(priority: Priority, **dues: datetime | None) -> ticket.Registered:
    """Return the registration with another priority."""
    return ticket.Registered(**ASKED, registered_at=on("09:00"), priority=priority, policy=spec.policy, **dues)


CRITICAL = registered(Priority.CRITICAL, respond_by=on("09:15"), resolve_by=on("13:00"), escalate_by=on("09:00"))


def responded(wall: str, update_by: datetime | None = None, by: str = "u-7") -> ticket.Responded:
    return ticket.Responded(responded_at=on(wall), agent_id=by, requester_id=CUSTOMER, update_by=update_by)


def told(wall: str, update_by: datetime | None = None) -> ticket.UpdatePublished:
    return ticket.UpdatePublished(published_at=on(wall), agent_id="u-7", requester_id=CUSTOMER, update_by=update_by)


def replied(wall: str, answer_by: datetime | None = None) -> ticket.CustomerReplied:
    return ticket.CustomerReplied(replied_at=on(wall), requester_id=CUSTOMER, answer_by=answer_by)


def paused(wall: str, reason: Any = "awaiting_customer") -> ticket.Paused:
    return ticket.Paused(paused_at=on(wall), reason=reason, requester_id=CUSTOMER)


def resumed(wall: str, **dues: datetime | None) -> ticket.Resumed:
    return ticket.Resumed(resumed_at=on(wall), **dues)


def resolved(wall: str) -> ticket.Resolved:
    return ticket.Resolved(resolved_at=on(wall), agent_id="u-7", requester_id=CUSTOMER)


def closed(wall: str) -> ticket.Closed:
    return ticket.Closed(closed_at=on(wall))


def reopened(wall: str, **dues: datetime | None) -> ticket.Reopened:
    return ticket.Reopened(reopened_at=on(wall), requester_id=CUSTOMER, **dues)


def merged(wall: str, into: str = "T-2") -> ticket.Merged:
    return ticket.Merged(merged_at=on(wall), into_id=into)


def cancelled(wall: str) -> ticket.Cancelled:
    return ticket.Cancelled(cancelled_at=on(wall), requester_id=CUSTOMER)


def spam(wall: str) -> ticket.MarkedSpam:
    return ticket.MarkedSpam(marked_at=on(wall))


def prioritized(wall: str, was: Priority, priority: Priority, **dues: datetime | None) -> ticket.PriorityChanged:
    return ticket.PriorityChanged(changed_at=on(wall), was=was, priority=priority, requester_id=CUSTOMER, **dues)


def escalated(wall: str, was: Any, level: Any, trigger: Any = "person", **dues: datetime | None) -> ticket.Escalated:
    return ticket.Escalated(escalated_at=on(wall), was=was, level=level, trigger=trigger, requester_id=CUSTOMER, **dues)


def state(*facts: Any) -> ticket.Ticket:
    """Return a ticket after facts."""
    found = None
    for fact in facts:
        found = ticket.evolve(found, fact)
    assert found is not None
    return found
