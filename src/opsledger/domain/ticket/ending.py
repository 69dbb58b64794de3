"""Decisions on a ticket's end and after: resolve, verify, close, survey, check in, learn, reopen."""

from __future__ import annotations

from typing import Literal

from opsledger.domain.concept import Moment
from opsledger.domain.ticket import facts as f
from opsledger.domain.ticket.intake import ended, still_open
from opsledger.domain.ticket.state import Ticket
from opsledger.errors import Refused


def resolve(
    ticket: Ticket, now: Moment, /, *, code: str | None = None, resolution: str | None = None, agent_id: str | None = None
) -> tuple[f.Fact, ...]:
    """Record that the problem is gone. Clocks stop here, not at closing."""
    if ticket.status == "resolved" and ticket.status_at == now.at:
        return ()
    still_open(ticket, now, "resolution")
    resolved = f.Resolved(
        resolved_at=now.at, agent_id=agent_id or now.actor, code=code, requester_id=ticket.requester_id, resolution=resolution
    )
    return (resolved,)


def verify_solution(ticket: Ticket, now: Moment, /, *, accepted: bool, remark: str | None = None) -> tuple[f.Fact, ...]:
    """Record whether the customer finds it gone; one that is not accepted is reopened."""
    if ticket.status != "resolved" and now.at >= ticket.status_at:
        cure = "reopen it if it is not gone" if ticket.resolved else "resolve it first"
        raise Refused("ticket.not_resolved", f"The ticket is {ticket.status}, so there is no solution to verify; {cure}.")
    verified = f.SolutionVerified(verified_at=now.at, accepted=accepted, requester_id=ticket.requester_id, remark=remark)
    return (verified,) if accepted else (verified, *reopen(ticket, now))


def close(ticket: Ticket, now: Moment, /, *, code: str | None = None) -> tuple[f.Fact, ...]:
    """Record that nothing more is expected. A ticket closed without a resolution counts as resolved here."""
    if ended(ticket, now) and ticket.status == "closed":
        return ()
    if ended(ticket, now) and ticket.status != "resolved":
        raise Refused(f"ticket.{ticket.status}", f"A {ticket.status} ticket has ended already; it takes no closing.")
    return (f.Closed(closed_at=now.at, code=code),)


def reopen(ticket: Ticket, now: Moment, /, *, reason: str | None = None) -> tuple[f.Fact, ...]:
    """Record that it was not gone after all."""
    if not ticket.resolved and now.at >= ticket.status_at:
        return ()
    if ended(ticket, now) and ticket.status not in ("resolved", "closed"):
        raise Refused(f"ticket.{ticket.status}", f"A {ticket.status} ticket cannot be reopened; register a new one.")
    return (now.promise(f.Reopened(reopened_at=now.at, requester_id=ticket.requester_id, reason=reason)),)


def link_knowledge(ticket: Ticket, now: Moment, /, *, article_id: str, use: Literal["used", "written", "updated"]) -> tuple[f.Fact, ...]:
    """Record that an article of the knowledge base was used, written or updated for it."""
    if (article_id, use) in ticket.articles:
        return ()
    return (f.KnowledgeLinked(linked_at=now.at, article_id=article_id, use=use),)


def send_survey(ticket: Ticket, now: Moment, /) -> tuple[f.Fact, ...]:
    """Record that the customer was asked how it was; once for each resolution."""
    if not ticket.resolved and now.at >= ticket.status_at:
        raise Refused("ticket.not_resolved", f"The ticket is {ticket.status}; ask how it was when it is resolved.")
    return () if ticket.survey_sent and now.at >= ticket.status_at else (f.SurveySent(sent_at=now.at),)


def answer_survey(ticket: Ticket, now: Moment, /, *, score: int, comment: str | None = None) -> tuple[f.Fact, ...]:
    """Record how the customer found it, 1 to 5; as the operating model says, a very bad score goes to the executive team."""
    if not (ticket.resolved or ticket.survey_sent or ticket.csat) and now.at >= ticket.status_at:
        raise Refused("ticket.no_survey", "No survey was sent for this ticket; send one after it is resolved.")
    answered = f.SurveyAnswered(answered_at=now.at, score=score, requester_id=ticket.requester_id, comment=comment)
    if score > now.policies.of(ticket.policy).support.executive_on_csat_at_most or ticket.level == "executive":
        return (answered,)
    escalated = f.Escalated(
        escalated_at=now.at,
        was=now.then(ticket).level,
        level="executive",
        trigger="customer_satisfaction",
        requester_id=ticket.requester_id,
    )
    return (answered, now.promise(escalated, answered))


def check_in(ticket: Ticket, now: Moment, /, *, satisfied: bool | None, remark: str | None = None) -> tuple[f.Fact, ...]:
    """Record that somebody asked, some time after the resolution, whether it held."""
    if not ticket.resolved and now.at >= ticket.status_at:
        raise Refused("ticket.not_resolved", f"The ticket is {ticket.status}; check in after it is resolved.")
    return (f.CheckedIn(checked_in_at=now.at, satisfied=satisfied, requester_id=ticket.requester_id, remark=remark),)


def take_preventive_measure(ticket: Ticket, now: Moment, /, *, measure: str, change_id: str | None = None) -> tuple[f.Fact, ...]:
    """Record what was done so that it does not come back."""
    taken = f.PreventiveMeasureTaken(taken_at=now.at, change_id=change_id, requester_id=ticket.requester_id, measure=measure)
    return (taken,)


def identify_improvement(ticket: Ticket, now: Moment, /, *, process: str, improvement: str) -> tuple[f.Fact, ...]:
    """Record how we could work better."""
    found = f.ImprovementIdentified(identified_at=now.at, process=process, requester_id=ticket.requester_id, improvement=improvement)
    return (found,)


def forward_feedback(ticket: Ticket, now: Moment, /, *, team: str, feedback: str) -> tuple[f.Fact, ...]:
    """Record that the customer's words went to the team that they concern."""
    return (f.FeedbackForwarded(forwarded_at=now.at, team=team, requester_id=ticket.requester_id, feedback=feedback),)
