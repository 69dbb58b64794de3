"""From event to event: which facts a row of an event log says, given what the rows of its ticket before it said.

What is known of a ticket is folded from its facts, never from rows: a run goes on from the ledger as from the row before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, Final, Literal

from opsledger.domain import ticket as t
from opsledger.importers.event_log_mapping import ENDS, EventLog, Say
from opsledger.importers.event_log_rows import Event
from opsledger.policies.instants import moment
from opsledger.policies.support import PAUSES, Level, PauseReason, Priority

__all__ = ["Case", "case_of", "dirt", "facts_of"]

_UNKNOWN: Final = "unknown"  # where a fact needs a word and the source has none


@dataclass(slots=True)
class Case:
    """A ticket after the facts heard so far."""

    state: PauseReason | Literal["open", "resolved", "closed", "cancelled"] = "open"
    registered: bool = False
    investigated: bool = False
    newest: int = 0  # when its newest fact happened, in microseconds
    requester_id: str = _UNKNOWN
    priority: Priority = Priority.MEDIUM
    level: Level = "l1"
    assigned: tuple[str | None, str | None] = (None, None)
    classified: tuple[str | None, str | None, str | None] = (None, None, None)
    stated: tuple[str | None, str | None] = (None, None)  # the source's own state and priority

    @property
    def ended(self) -> bool:
        """Whether nobody works on it any more."""
        return self.state in ("resolved", "closed", "cancelled")

    def hear(self, event: t.Fact, at: int) -> None:
        """Take one fact of this source, in the order in which they were recorded."""
        self.newest = max(self.newest, at)
        match event:
            case t.Registered():
                self.registered, self.priority, self.requester_id = True, event.priority, event.requester_id
            case t.PriorityChanged():
                self.priority = event.priority
            case t.Escalated():
                self.level = event.level
            case t.Assigned():
                self.assigned = (event.group, event.assignee_id)
            case t.Classified():
                self.classified = (event.category, event.subcategory, event.service_id)
            case t.InvestigationStarted():
                self.investigated = True
            case t.Paused():
                self.state = event.reason
            case t.Resumed() | t.Reopened():
                self.state = "open"
            case t.Resolved():
                self.state = "resolved"
            case t.Closed():
                self.state = "closed"
            case t.Cancelled():
                self.state = "cancelled"
            case t.SourceStated():
                self.stated = (event.status, event.priority)
            case _:
                pass  # no event log says more of a state


def case_of(history: Iterable[tuple[Any, int]]) -> Case:
    """Return what is known of a ticket from its facts, each with when it happened."""
    case = Case()
    for event, at in history:
        case.hear(event, at)
    return case


def facts_of(case: Case, row: Event, mapping: EventLog, policy: str) -> list[t.Fact]:
    """Return the facts that a row says after what is known, and take them into the case. The first row registers the ticket.

    In this order: whose turn it is; then priority, level, what it is about and who has it, which a ticket that has ended
    does not take; then its end; then the source's own words, where they are others than before.
    """
    when, says = moment(row.at), mapping.words.get(row.word, ())
    made: list[t.Fact] = []

    def say(events: Iterable[t.Fact]) -> None:
        for event in events:
            made.append(event)
            case.hear(event, row.at)

    if not case.registered:
        say([_registered(row, mapping, policy)])
    for each in says:
        say(_turn(case, row, each, when))
    if not case.ended:
        say(_known(case, row, when))
        if "assign" in says and case.assigned != (row.group, row.assignee):
            say([t.Assigned(assigned_at=when, group=row.group, assignee_id=row.assignee)])
    for each in ENDS:
        if each in says:
            say(_end(case, row, each, when))
    if row.states and case.stated != (row.word, row.stated_priority):
        say([t.SourceStated(stated_at=when, status=row.word, priority=row.stated_priority)])
    return made


def _registered(row: Event, mapping: EventLog, policy: str) -> t.Registered:
    customer = row.customer or _UNKNOWN
    requester = row.requester or customer
    return t.Registered(
        registered_at=moment(row.at),
        customer_id=customer,
        requester_id=requester,
        channel=row.channel or _UNKNOWN,
        priority=mapping.priority.otherwise if row.priority is None or mapping.priority.known == "end" else row.priority,
        summary=None,
        policy=policy,
    )


def _turn(case: Case, row: Event, say: Say, when: datetime) -> Iterator[t.Fact]:
    """Yield what a word says of whose turn it is; what ended is reopened first."""
    if say in ("assign", *ENDS):
        return
    if say == "respond":
        yield t.Responded(responded_at=when, agent_id=row.agent or _UNKNOWN, requester_id=case.requester_id)
        return
    if case.ended:
        yield t.Reopened(reopened_at=when, requester_id=case.requester_id)
    for reason in PAUSES:
        if say == reason != case.state:
            yield t.Paused(paused_at=when, reason=reason, requester_id=case.requester_id)
    if say not in ("open", "work"):
        return
    if case.state in PAUSES:
        yield t.Resumed(resumed_at=when)
    if say == "work" and not case.investigated:
        yield t.InvestigationStarted(started_at=when, agent_id=row.agent or _UNKNOWN)


def _known(case: Case, row: Event, when: datetime) -> Iterator[t.Fact]:
    """Yield what a row says of how bad it is, where it is and what it is about, where that is new."""
    if row.priority not in (None, case.priority):
        yield t.PriorityChanged(changed_at=when, was=case.priority, priority=row.priority, requester_id=case.requester_id)
    if row.level not in (None, case.level):
        yield t.Escalated(escalated_at=when, was=case.level, level=row.level, trigger="person", requester_id=case.requester_id)
    if row.category is not None and case.classified != (row.category, row.subcategory, row.service):
        yield t.Classified(classified_at=when, category=row.category, subcategory=row.subcategory, service_id=row.service)


def _end(case: Case, row: Event, say: Say, when: datetime) -> Iterator[t.Fact]:
    """Yield the end that a word says. What has ended does not end again; what is resolved is closed."""
    if say == "resolve" and not case.ended:
        yield t.Resolved(resolved_at=when, agent_id=row.agent or _UNKNOWN, requester_id=case.requester_id)
    elif say == "close" and (case.state == "resolved" or not case.ended):
        yield t.Closed(closed_at=when)
    elif say == "cancel" and not case.ended:
        yield t.Cancelled(cancelled_at=when, requester_id=case.requester_id)


def dirt(rows: Sequence[Event], mapping: EventLog) -> Iterator[tuple[str, int]]:
    """Yield (kind, row) for everything in a ticket's rows, as they stand in the file, that a clean log would not have.

    What is done about it: an unknown_word is kept as the source's own state and changes nothing else; at an unknown_level or
    unknown_priority the earlier one stays; customer_changes leave what was registered; rows out_of_order are put in order;
    what is written twice (same_event_twice) counts once; what happened before_opening counts when the ticket was opened.
    """
    seen: set[str] = set()
    for row in rows:
        if row.word not in mapping.words:
            yield "unknown_word", row.row
        if row.stated_level is not None and row.level is None:
            yield "unknown_level", row.row
        if row.stated_priority is not None and row.priority is None:
            yield "unknown_priority", row.row
        if row.moved:
            yield "before_opening", row.row
        if row.source_id in seen:
            yield "same_event_twice", row.row
        seen.add(row.source_id)
    for one, other in pairwise(rows):
        if other.at < one.at:
            yield "out_of_order", other.row
        if other.customer != one.customer:
            yield "customer_changes", other.row
