"""Decisions on the record itself: corrections with two people, another policy, deadlines seen to have passed."""

from __future__ import annotations

from datetime import datetime

from opsledger.domain import sla
from opsledger.domain.concept import Moment, another, observes
from opsledger.domain.recorded import corrections
from opsledger.domain.ticket import facts as f
from opsledger.domain.ticket.state import Ticket
from opsledger.errors import Refused
from opsledger.policies.instants import micros
from opsledger.policies.support import LEVELS, Level, Support


def correct_time(
    ticket: Ticket, now: Moment, /, *, corrects: int, was: datetime, to: datetime, reason: str, requested_by: str, approved_by: str
) -> tuple[f.Fact, ...]:
    """Record that the fact at position `corrects`, which says `was`, happened at `to`. Needs another person's approval."""
    another(approved_by, requested_by, "this correction")
    recorded = now.recorded(corrects)
    held = corrections(now.history).get(corrects, recorded.occurred_at)
    if held != micros(was):
        raise Refused("correction.was", f"Position {corrects} does not say {was.isoformat()}; look at it again with its history.")
    if micros(to) > micros(now.at):
        raise Refused("correction.future", f"{to.isoformat()} has not come yet; a fact has happened when it is recorded.")
    if held == micros(to):
        return ()
    corrected = f.TimeCorrected(
        corrected_at=now.at,
        corrects=corrects,
        was=was,
        now=to,
        requested_by=requested_by,
        approved_by=approved_by,
        requester_id=ticket.requester_id,
        reason=reason,
    )
    return (now.promise(corrected),)


def reassign_policy(ticket: Ticket, now: Moment, /, *, policy: str, reason: str, requested_by: str, approved_by: str) -> tuple[f.Fact, ...]:
    """Record that another version of the operating model applies from here on. Needs another person's approval."""
    another(approved_by, requested_by, "this change of policy")
    now.policies.of(policy)
    if ticket.policy == policy:
        return ()
    reassigned = f.PolicyReassigned(
        reassigned_at=now.at, was=ticket.policy, policy=policy, requested_by=requested_by, approved_by=approved_by, reason=reason
    )
    return (now.promise(reassigned),)


@observes
def observe_deadlines(ticket: Ticket, now: Moment, /) -> tuple[f.Fact, ...]:
    """Record deadlines seen to have passed, or that an earlier sight was overtaken, and the escalation that they ask for."""
    seen = sla.observe(now)
    support = now.policies.of(ticket.policy).support
    raising = [(level, each) for each in seen if isinstance(each, sla.DeadlineObserved) if (level := _raises(ticket, support, each))]
    if not raising or ticket.resolved:
        return seen
    level, deadline = max(raising, key=lambda each: LEVELS.index(each[0]))
    escalated = f.Escalated(
        escalated_at=now.at,
        was=ticket.level,
        level=level,
        trigger="deadline" if deadline.kind == "escalate" else "breach",
        due_at=deadline.due_at,
        requester_id=ticket.requester_id,
    )
    return (*seen, now.promise(escalated, *seen))


def state_source(
    ticket: Ticket,
    now: Moment,
    /,
    *,
    status: str,
    reopen_count: int | None = None,
    reassignment_count: int | None = None,
    sla_met: bool | None = None,
    priority: str | None = None,
) -> tuple[f.Fact, ...]:
    """Record what another system says of this ticket, to be set beside what we compute."""
    stated = f.SourceStated(
        stated_at=now.at,
        status=status,
        reopen_count=reopen_count,
        reassignment_count=reassignment_count,
        sla_met=sla_met,
        priority=priority,
    )
    return (stated,)


def _raises(ticket: Ticket, support: Support, deadline: sla.DeadlineObserved) -> Level | None:
    """Return the level to which a passed deadline raises the ticket, if it is above the present one."""
    to: Level | None = None
    if deadline.kind == "escalate":
        rule = support.escalation(ticket.priority, ticket.level)
        to = rule.to if rule is not None else None
    elif deadline.kind == "breach" and deadline.metric in support.executive_on_breach_of:
        to = "executive" if ticket.priority in support.executive_on_breach_for else None
    return to if to is not None and LEVELS.index(to) > LEVELS.index(ticket.level) else None
