"""Decisions on a ticket's way in and through the desk: register, classify, prioritize, assign, escalate; merge, cancel."""

from __future__ import annotations

from opsledger.domain.concept import Moment, starts
from opsledger.domain.ticket import facts as f
from opsledger.domain.ticket.state import Ticket
from opsledger.errors import Refused
from opsledger.policies.support import LEVELS, Level, PauseReason, Priority


def ended(ticket: Ticket, now: Moment) -> bool:
    """Return whether nobody works on it any more at `now.at`, as far as is known; of what came before its end nothing is."""
    return ticket.resolved and now.at >= ticket.status_at


def still_open(ticket: Ticket, now: Moment, what: str) -> None:
    """Refuse what an ended ticket does not take; what happened before its end and comes late is let through."""
    if ended(ticket, now):
        cures = {"merged": "record on the one that stands for it", "cancelled": "register a new one", "spam": "register a new one"}
        cure = cures.get(ticket.status, "reopen it first")
        raise Refused(f"ticket.{ticket.status}", f"A {ticket.status} ticket takes no {what}; {cure}.")


@starts
def register(
    ticket: Ticket | None,
    now: Moment,
    /,
    *,
    customer_id: str,
    requester_id: str,
    channel: str,
    priority: Priority,
    summary: str,
    details: str | None = None,
) -> tuple[f.Fact, ...]:
    """Record a customer's request and the promises that it starts; a tier that escalates at once does so here."""
    if ticket is not None:
        raise Refused("ticket.exists", "This ticket is registered already; record on it, or choose another id.")
    policy = now.policies.in_force
    if channel not in policy.model.support.channels:
        known = ", ".join(policy.model.support.channels)
        raise Refused("ticket.channel", f"The operating model has no channel '{channel}'; it has {known}.")
    registered = now.promise(
        f.Registered(
            registered_at=now.at,
            customer_id=customer_id,
            requester_id=requester_id,
            channel=channel,
            priority=priority,
            summary=summary,
            details=details,
            policy=policy.ref,
        )
    )
    return (registered, *_at_once(now, policy.ref, priority, "l1", requester_id, registered))


def acknowledge(ticket: Ticket, now: Moment, /, *, automatic: bool = False) -> tuple[f.Fact, ...]:
    """Record that the customer was told that the request has arrived."""
    still_open(ticket, now, "acknowledgement")
    if ticket.acknowledged_at == now.at:
        return ()
    return (f.Acknowledged(acknowledged_at=now.at, automatic=automatic),)


def classify(
    ticket: Ticket, now: Moment, /, *, category: str, subcategory: str | None = None, service_id: str | None = None
) -> tuple[f.Fact, ...]:
    """Record what the request is about."""
    if now.then(ticket).category == (category, subcategory, service_id):
        return ()
    return (f.Classified(classified_at=now.at, category=category, subcategory=subcategory, service_id=service_id),)


def prioritize(ticket: Ticket, now: Moment, /, *, priority: Priority, reason: str | None = None) -> tuple[f.Fact, ...]:
    """Record another priority; a tier that escalates at once does so here."""
    still_open(ticket, now, "change of priority")
    was = now.then(ticket).priority
    if was == priority:
        return ()
    changed = now.promise(f.PriorityChanged(changed_at=now.at, was=was, priority=priority, requester_id=ticket.requester_id, reason=reason))
    return (changed, *_at_once(now, ticket.policy, priority, ticket.level, ticket.requester_id, changed))


def assign(ticket: Ticket, now: Moment, /, *, group: str | None, assignee_id: str | None = None) -> tuple[f.Fact, ...]:
    """Record who works on it: a group, and perhaps a person of it."""
    still_open(ticket, now, "assignment")
    then = now.then(ticket)
    if (then.group, then.assignee_id) == (group, assignee_id):
        return ()
    return (f.Assigned(assigned_at=now.at, group=group, assignee_id=assignee_id),)


def escalate(
    ticket: Ticket, now: Moment, /, *, level: Level, trigger: f.Trigger = "person", reason: str | None = None
) -> tuple[f.Fact, ...]:
    """Record that a person moved the ticket to another level, up or back down."""
    still_open(ticket, now, "escalation")
    was = now.then(ticket).level
    if was == level:
        return ()
    escalated = f.Escalated(escalated_at=now.at, was=was, level=level, trigger=trigger, requester_id=ticket.requester_id, reason=reason)
    return (now.promise(escalated),)


def pause(ticket: Ticket, now: Moment, /, *, reason: PauseReason, remark: str | None = None) -> tuple[f.Fact, ...]:
    """Record that somebody else must move first."""
    still_open(ticket, now, "pause")
    if ticket.pause_reason == reason and now.at >= ticket.status_at:
        return ()
    return (f.Paused(paused_at=now.at, reason=reason, requester_id=ticket.requester_id, remark=remark),)


def resume(ticket: Ticket, now: Moment, /) -> tuple[f.Fact, ...]:
    """Record that it is our turn again."""
    still_open(ticket, now, "resumption")
    if ticket.status != "pending" and now.at >= ticket.status_at:
        return ()
    return (now.promise(f.Resumed(resumed_at=now.at)),)


def merge(ticket: Ticket, now: Moment, /, *, into_id: str, into: Ticket) -> tuple[f.Fact, ...]:
    """Record that another ticket, whose state is `into`, stands for this one."""
    if ticket.merged_into == into_id:
        return ()
    still_open(ticket, now, "merging")
    if into_id == now.id:
        raise Refused("ticket.merge_self", "A ticket cannot be merged into itself; name the other one.")
    if into.status in ("merged", "cancelled", "spam"):
        raise Refused("ticket.merge_ended", f"{into_id} is {into.status} itself; merge into the ticket that is worked on.")
    return (f.Merged(merged_at=now.at, into_id=into_id),)


def cancel(ticket: Ticket, now: Moment, /, *, reason: str | None = None) -> tuple[f.Fact, ...]:
    """Record that the request was withdrawn."""
    if ticket.status == "cancelled":
        return ()
    still_open(ticket, now, "cancelling")
    return (f.Cancelled(cancelled_at=now.at, requester_id=ticket.requester_id, reason=reason),)


def mark_spam(ticket: Ticket, now: Moment, /) -> tuple[f.Fact, ...]:
    """Record that it never was a request."""
    if ticket.status == "spam":
        return ()
    still_open(ticket, now, "marking as spam")
    return (f.MarkedSpam(marked_at=now.at),)


def _at_once(now: Moment, policy: str, priority: Priority, level: Level, requester_id: str, *after: f.Fact) -> tuple[f.Fact, ...]:
    """Return the escalation of a tier whose rule says "immediate"."""
    rule = now.policies.of(policy).support.escalation(priority, level)
    if rule is None or rule.target().seconds or rule.target().business_days or LEVELS.index(rule.to) <= LEVELS.index(level):
        return ()
    raised = f.Escalated(
        escalated_at=now.at, was=level, level=rule.to, trigger="tier", due_at=now.at, requester_id=requester_id, reason=None
    )
    return (now.promise(raised, *after),)
