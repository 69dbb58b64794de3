"""Decisions while a ticket is worked on: investigate, talk with the customer, find a solution."""

from __future__ import annotations

from opsledger.domain.concept import Moment
from opsledger.domain.ticket import facts as f
from opsledger.domain.ticket.ending import reopen
from opsledger.domain.ticket.intake import still_open
from opsledger.domain.ticket.state import Ticket
from opsledger.errors import Refused


def investigate(ticket: Ticket, now: Moment, /, *, agent_id: str | None = None) -> tuple[f.Fact, ...]:
    """Record that somebody, by default the actor, began to look into it."""
    still_open(ticket, now, "investigation")
    return (f.InvestigationStarted(started_at=now.at, agent_id=agent_id or now.actor),)


def reproduce(ticket: Ticket, now: Moment, /, *, reproducible: bool, steps: str | None = None) -> tuple[f.Fact, ...]:
    """Record whether the problem could be seen to happen."""
    still_open(ticket, now, "reproduction")
    return (f.Reproduced(reproduced_at=now.at, reproducible=reproducible, requester_id=ticket.requester_id, steps=steps),)


def analyse(ticket: Ticket, now: Moment, /, *, finding: str) -> tuple[f.Fact, ...]:
    """Record what logs or a debugger showed."""
    return (f.Analysed(analysed_at=now.at, requester_id=ticket.requester_id, finding=finding),)


def involve(ticket: Ticket, now: Moment, /, *, team: str, question: str | None = None) -> tuple[f.Fact, ...]:
    """Record that another team was asked to help."""
    still_open(ticket, now, "collaboration")
    return (f.CollaborationRequested(requested_at=now.at, team=team, requester_id=ticket.requester_id, question=question),)


def note(ticket: Ticket, now: Moment, /, *, text: str) -> tuple[f.Fact, ...]:
    """Record a note to ourselves, also on a ticket that has ended."""
    return (f.Noted(noted_at=now.at, requester_id=ticket.requester_id, note=text),)


def respond(ticket: Ticket, now: Moment, /, *, message: str | None = None, agent_id: str | None = None) -> tuple[f.Fact, ...]:
    """Record an answer that a person, by default the actor, gave the customer; also one typed in late."""
    still_open(ticket, now, "response")
    if now.at in (ticket.first_response_at, ticket.last_words_at):
        return ()
    responded = f.Responded(responded_at=now.at, agent_id=agent_id or now.actor, requester_id=ticket.requester_id, message=message)
    return (now.promise(responded),)


def update_customer(ticket: Ticket, now: Moment, /, *, message: str | None = None, agent_id: str | None = None) -> tuple[f.Fact, ...]:
    """Record that the customer was told how it stands, unasked; also what was typed in late."""
    still_open(ticket, now, "update")
    if now.at in (ticket.first_response_at, ticket.last_words_at):
        return ()
    updated = f.UpdatePublished(published_at=now.at, agent_id=agent_id or now.actor, requester_id=ticket.requester_id, message=message)
    return (now.promise(updated),)


def hear_from_customer(ticket: Ticket, now: Moment, /, *, message: str | None = None) -> tuple[f.Fact, ...]:
    """Record that the customer wrote or called. As the operating model says, it ends our waiting, or reopens a resolved ticket."""
    rules = now.policies.of(ticket.policy).support
    before: tuple[f.Fact, ...] = ()
    if ticket.resolved and now.at >= ticket.status_at:
        if ticket.status != "resolved" or not rules.customer_reply_reopens:
            still_open(ticket, now, "message of the customer")
        before = reopen(ticket, now)
    replied = now.promise(f.CustomerReplied(replied_at=now.at, requester_id=ticket.requester_id, message=message), *before)
    waiting = ticket.pause_reason == "awaiting_customer" and now.at >= ticket.status_at
    if waiting and rules.customer_reply_resumes:
        return (replied, now.promise(f.Resumed(resumed_at=now.at), replied))
    return (*before, replied)


def propose_solution(ticket: Ticket, now: Moment, /, *, solution: str) -> tuple[f.Fact, ...]:
    """Record what is thought to end it."""
    still_open(ticket, now, "solution")
    return (f.SolutionProposed(proposed_at=now.at, requester_id=ticket.requester_id, solution=solution),)


def try_solution(ticket: Ticket, now: Moment, /, *, passed: bool) -> tuple[f.Fact, ...]:
    """Record how the proposed solution did when we tried it."""
    still_open(ticket, now, "test")
    if not ticket.solution_proposed:
        raise Refused("ticket.no_solution", "There is no solution to test yet; propose one first.")
    return (f.SolutionTested(tested_at=now.at, passed=passed),)
