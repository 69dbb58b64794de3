"""ticket: what is known of each support ticket? ticket_interval: in which state was it, when?

Grain: ticket, one row per ticket; ticket_interval, one row per ticket and stretch [from_at, to_at) in which status,
priority, group and level stayed the same. Facts count in the order in which they happened, corrected times applied.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from opsledger.domain import ticket as t
from opsledger.domain.recorded import Recorded
from opsledger.policies.support import LEVELS
from opsledger.projections.kinds import Entity, Rows
from opsledger.projections.table import Table, instant, integer, text

__all__ = ["PROJECTIONS", "TICKET", "TICKET_INTERVAL"]

TICKET = Table(
    "ticket",
    "One row per support ticket, as of its newest fact.",
    key=("ticket_id",),
    columns=(
        text("ticket_id", "Id of the ticket, the host's."),
        text("customer_id", "Opaque id of the customer."),
        text("requester_id", "Opaque id of the person who asked."),
        text("priority", "Priority now: critical, high, medium or low."),
        text("initial_priority", "Priority at registration."),
        text("channel", "How the request came in, by the operating model's names."),
        text("status", "new, open, pending, resolved, closed, merged, cancelled or spam."),
        text("pause_reason", "Whom a pending ticket waits for; null when it is not pending."),
        text("level", "Support level now: l1, l2, engineering, senior_engineering or executive."),
        text("assignee_group", "Group that works on it; null when none does."),
        text("assignee_id", "Opaque id of the person who works on it; null when none does."),
        text("category", "What it is about; null before it is classified."),
        text("service_id", "Service that it is about; null when none was named."),
        text("policy_ref", "Operating model, by version and digest, whose promises hold for it."),
        instant("registered_at", "When the request came in."),
        instant("acknowledged_at", "When the customer was first told that it has arrived; null: not yet."),
        instant("first_response_at", "When a person first answered the customer; null: not yet."),
        instant("resolved_at", "When it was last resolved, or closed without that; null while it is not resolved."),
        instant("closed_at", "When it was closed, merged, cancelled or found to be spam; null while it is not."),
        integer("reopen_count", "How often it was reopened."),
        integer("reassignment_count", "How often it went from one group to another."),
        integer("escalation_count", "How often it went to a higher level."),
        integer("update_count", "How often the customer was answered or told how it stands."),
        instant("survey_sent_at", "When the customer was asked last how it was; null: never."),
        instant("survey_answered_at", "When the customer said so last; null: never."),
        integer("csat", "The customer's newest score, 1 to 5; null: not asked or not answered."),
        text("source_status", "What an imported system called its state last; null for tickets of our own."),
        integer("last_position", "Position of the newest fact used."),
    ),
    indexes=(("customer_id",), ("status",)),
)

TICKET_INTERVAL = Table(
    "ticket_interval",
    "One row per ticket and stretch in which status, priority, group and level stayed the same.",
    key=("ticket_id", "from_at"),
    columns=(
        text("ticket_id", "Id of the ticket."),
        instant("from_at", "Start of the stretch."),
        instant("to_at", "End of the stretch, not part of it; null: it lasts."),
        text("status", "Status in the stretch."),
        text("priority", "Priority in the stretch."),
        text("assignee_group", "Group in the stretch; null: none."),
        text("level", "Support level in the stretch."),
        integer("last_position", "Position of the fact that began the stretch."),
    ),
)


class _Stretch(NamedTuple):
    start: int
    status: str
    priority: str
    group: str | None
    level: str
    position: int


@dataclass(slots=True)
class _State:
    ticket_id: str
    values: dict[str, Any] = field(default_factory=dict)
    stretches: list[_Stretch] = field(default_factory=list)


_ENDED = {t.Merged: "merged", t.Cancelled: "cancelled", t.MarkedSpam: "spam"}


def start(ticket_id: str) -> _State:
    """Return the state before the first fact."""
    return _State(ticket_id)


def fold(state: _State, recorded: Recorded) -> _State:
    """Return the state after one more fact, at the time that its envelope gives."""
    event, at, row = recorded.fact, recorded.occurred_at, state.values
    match event:
        case t.Registered():
            _register(row, event, at)
            row["ticket_id"] = state.ticket_id
        case t.Acknowledged():
            row["acknowledged_at"] = row["acknowledged_at"] or at
            _work(row)
        case t.Classified():
            row["category"], row["service_id"] = event.category, event.service_id
        case t.PriorityChanged():
            row["priority"] = str(event.priority)
        case t.Assigned():
            if row["assignee_group"] is not None and event.group != row["assignee_group"]:
                row["reassignment_count"] += 1
            row["assignee_group"], row["assignee_id"] = event.group, event.assignee_id
            _work(row)
        case t.Escalated():
            row["escalation_count"] += LEVELS.index(event.level) > LEVELS.index(event.was)
            row["level"] = event.level
        case t.InvestigationStarted():
            _work(row)
        case t.Responded() | t.UpdatePublished():
            row["first_response_at"] = row["first_response_at"] or at
            row["update_count"] += 1
            _work(row)
        case t.Paused():
            row["status"], row["pause_reason"] = "pending", event.reason
        case t.Resumed():
            row["status"], row["pause_reason"] = "open", None
        case t.Resolved():
            row["status"], row["pause_reason"], row["resolved_at"], row["closed_at"] = "resolved", None, at, None
        case t.Closed():
            row["resolved_at"] = row["resolved_at"] or at
            row["status"], row["pause_reason"], row["closed_at"] = "closed", None, at
        case t.Reopened():
            row["reopen_count"] += 1
            row["status"], row["resolved_at"], row["closed_at"] = "open", None, None
        case t.Merged() | t.Cancelled() | t.MarkedSpam():
            row["status"], row["pause_reason"], row["closed_at"] = _ENDED[type(event)], None, at
        case t.SurveySent():
            row["survey_sent_at"] = at
        case t.SurveyAnswered():
            row["survey_answered_at"], row["csat"] = at, event.score
        case t.PolicyReassigned():
            row["policy_ref"] = event.policy
        case t.SourceStated():
            row["source_status"] = event.status
        case _:
            pass  # says nothing about these columns
    row["last_position"] = max(row["last_position"], recorded.position)
    _stretch(state, at, recorded.position)
    return state


def rows(state: _State) -> Rows:
    """Return the rows of one ticket."""
    ends = [*(stretch.start for stretch in state.stretches[1:]), None]
    return {
        "ticket": [tuple([state.values[name] for name in _NAMES])],
        "ticket_interval": [
            (state.ticket_id, each.start, end, each.status, each.priority, each.group, each.level, each.position)
            for each, end in zip(state.stretches, ends, strict=True)
        ],
    }


_NAMES = [column.name for column in TICKET.columns]


def _register(row: dict[str, Any], event: t.Registered, at: int) -> None:
    row.update(dict.fromkeys(_NAMES))
    row.update(
        customer_id=event.customer_id,
        requester_id=event.requester_id,
        priority=str(event.priority),
        initial_priority=str(event.priority),
        channel=event.channel,
        status="pending" if event.awaiting else "new",
        pause_reason=event.awaiting,
        level="l1",
        policy_ref=event.policy,
        registered_at=at,
        reopen_count=0,
        reassignment_count=0,
        escalation_count=0,
        update_count=0,
        last_position=0,
    )


def _work(row: dict[str, Any]) -> None:
    if row["status"] == "new":
        row["status"] = "open"


def _stretch(state: _State, at: int, position: int) -> None:
    row = state.values
    now = _Stretch(at, row["status"], row["priority"], row["assignee_group"], row["level"], position)
    if state.stretches and state.stretches[-1][1:5] == now[1:5]:
        return
    if state.stretches and state.stretches[-1].start == at:
        state.stretches.pop()
        if state.stretches and state.stretches[-1][1:5] == now[1:5]:
            return
    state.stretches.append(now)


PROJECTIONS = (Entity("ticket", 1, concept="ticket", tables=(TICKET, TICKET_INTERVAL), start=start, fold=fold, rows=rows),)
