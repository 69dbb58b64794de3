"""From row to row: which facts a row of an incident says, given what the rows before it said.

What is known of an incident is folded from its facts, never from rows: a run goes on from the ledger as from the row before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, Final, Literal, assert_never

from opsledger.domain import ticket as t
from opsledger.importers.servicenow_rows import SourceRow
from opsledger.policies.instants import micros, moment
from opsledger.policies.support import PauseReason, Priority

__all__ = ["Case", "case_of", "dirt", "facts_of", "times"]

State = PauseReason | Literal["new", "active", "resolved", "closed"]

_STATES: Final[dict[str, State]] = {
    "New": "new",
    "Active": "active",
    "Awaiting User Info": "awaiting_customer",
    "Awaiting Vendor": "awaiting_vendor",
    "Awaiting Problem": "awaiting_problem",
    "Awaiting Evidence": "awaiting_evidence",
    "Resolved": "resolved",
    "Closed": "closed",
}
_ENDED: Final = ("resolved", "closed")
_UNKNOWN: Final = "unknown"  # where a fact needs a word and the vendor has `?`


@dataclass(slots=True)
class Case:
    """An incident after the facts heard so far. Instants in microseconds."""

    state: State = "new"
    investigated: bool = False
    opened_at: int | None = None  # None: not registered yet
    newest: int = 0  # when its newest fact happened
    customer_id: str = ""
    priority: Priority = Priority.LOW
    assigned: tuple[str | None, str | None] = (None, None)
    classified: tuple[str | None, str | None, str | None] = (None, None, None)
    stated: t.SourceStated | None = None

    def hear(self, event: t.Fact, at: int) -> None:
        """Take one fact of this source, in the order in which they were recorded."""
        self.newest = max(self.newest, at)
        match event:
            case t.Registered():
                self.opened_at, self.priority, self.customer_id = at, event.priority, event.customer_id
            case t.PriorityChanged():
                self.priority = event.priority
            case t.Assigned():
                self.assigned = (event.group, event.assignee_id)
            case t.Classified():
                self.classified = (event.category, event.subcategory, event.service_id)
            case t.InvestigationStarted():
                self.state, self.investigated = "active", True
            case t.Paused():
                self.state = event.reason
            case t.Resumed() | t.Reopened():
                self.state = "active"
            case t.Resolved():
                self.state = "resolved"
            case t.Closed():
                self.state = "closed"
            case t.SourceStated():
                self.stated = event
            case _:
                pass  # no importer of this log records it


def case_of(history: Iterable[tuple[Any, int]]) -> Case:
    """Return what is known of an incident from its facts, each with when it happened."""
    case = Case()
    for event, at in history:
        case.hear(event, at)
    return case


def times(rows: Sequence[SourceRow], case: Case) -> list[int]:
    """Return when each row of an incident counts, in microseconds; they never fall, as the file's order is the true one.

    A row later than a following one counts at that one's time; one before the incident was opened, when it was opened;
    one before what is known already, at the newest time known.
    """
    opened_at = rows[0].opened_at if case.opened_at is None else case.opened_at
    found = []
    latest: int | None = None
    for row in reversed(rows):
        latest = row.at if latest is None else min(row.at, latest)
        found.append(max(latest, opened_at, case.newest))
    return found[::-1]


def facts_of(case: Case, row: SourceRow, at: int, *, last: bool, policy: str, channels: Iterable[str]) -> list[t.Fact]:
    """Return the facts that a row adds at `at`, and let the case hear them.

    The first row registers the ticket under `policy`, at the time when it was opened. On the `last` row of the incident the
    vendor's own answers are stated in any case.
    """
    when = moment(at)
    made: list[t.Fact] = []

    def say(event: t.Fact, then: int = at) -> None:
        made.append(event)
        case.hear(event, then)

    if case.opened_at is None:
        say(_registered(row, policy, channels), row.opened_at)
    if row.priority not in (None, case.priority):
        say(t.PriorityChanged(changed_at=when, was=case.priority, priority=row.priority, requester_id=case.customer_id))
    if row.category is not None and case.classified != (row.category, row.subcategory, row.service):
        say(t.Classified(classified_at=when, category=row.category, subcategory=row.subcategory, service_id=row.service))
    if case.assigned != (row.group, row.resolver):
        say(t.Assigned(assigned_at=when, group=row.group, assignee_id=row.resolver))
    for event in _moves(case, row, when):
        say(event)
    stated = _stated(row, when)
    if last or case.stated is None or _answers(stated) != _answers(case.stated):
        say(stated)
    return made


def _registered(row: SourceRow, policy: str, channels: Iterable[str]) -> t.Registered:
    assert row.priority is not None  # a first row without one is set aside
    channel = row.channel or _UNKNOWN
    ours = channel.lower().replace(" ", "_")
    customer = row.caller or _UNKNOWN
    return t.Registered(
        registered_at=moment(row.opened_at),
        customer_id=customer,
        requester_id=customer,
        channel=ours if ours in channels else channel,
        priority=row.priority,
        summary=None,
        policy=policy,
    )


def _moves(case: Case, row: SourceRow, when: datetime) -> Iterator[t.Fact]:
    """Yield what the row's state says. A state that nobody knows, such as -100, says nothing: the earlier one stays."""
    was = case.state
    to = was if row.state is None else _STATES.get(row.state, was)
    if to == was:
        return
    if was in _ENDED and to not in _ENDED:
        yield t.Reopened(reopened_at=when, requester_id=case.customer_id)
    match to:
        case "awaiting_customer" | "awaiting_vendor" | "awaiting_problem" | "awaiting_evidence" | "on_hold":
            yield t.Paused(paused_at=when, reason=to, requester_id=case.customer_id)
        case "resolved":
            yield _resolved(case, row, when)
        case "closed":
            yield t.Closed(closed_at=when, code=row.closed_code)
        case "new" | "active":
            if was not in ("new", "active", *_ENDED):
                yield t.Resumed(resumed_at=when)
            if to == "active" and not case.investigated:
                yield t.InvestigationStarted(started_at=when, agent_id=row.resolver or row.updated_by or _UNKNOWN)
        case _:
            assert_never(to)


def _resolved(case: Case, row: SourceRow, when: datetime) -> t.Resolved:
    """Return the resolution. The outcome columns tell of `resolved_at`; a row from before that cannot have known them."""
    told = row.resolved_at is not None and row.resolved_at <= micros(when)
    agent = row.resolved_by if told else None
    return t.Resolved(
        resolved_at=when,
        agent_id=agent or row.updated_by or _UNKNOWN,
        code=row.closed_code if told else None,
        requester_id=case.customer_id,
    )


def _stated(row: SourceRow, when: datetime) -> t.SourceStated:
    return t.SourceStated(
        stated_at=when,
        status=row.state or _UNKNOWN,
        reopen_count=row.reopen_count,
        reassignment_count=row.reassignment_count,
        sla_met=row.made_sla,
        priority=row.stated_priority,
    )


def _answers(stated: t.SourceStated) -> tuple[Any, ...]:
    return stated.status, stated.reopen_count, stated.reassignment_count, stated.sla_met, stated.priority


def dirt(rows: Sequence[SourceRow]) -> Iterator[tuple[str, int]]:
    """Yield (kind, row) for everything in an incident's rows that a clean log would not have.

    What is done about it: later_than_next and before_opened rows count at another time, see `times`; at an unknown_state or
    unknown_priority the earlier one stays; opened_at_changes and caller_changes leave what was registered, and a
    caller_missing is registered as "unknown". The versions and same_minute change nothing, as the file's order counts.
    """
    versions: Counter[int] = Counter()
    resolved = False
    for row in rows:
        if versions[row.version]:
            yield "duplicate_version", row.row
        versions[row.version] += 1
        if row.at < row.opened_at:
            yield "before_opened", row.row
        state = _STATES.get(row.state or "")
        if state is None:
            yield "unknown_state", row.row
        if row.priority is None:
            yield "unknown_priority", row.row
        if row.caller is None:
            yield "caller_missing", row.row
        if state in _ENDED and not resolved and row.resolved_at is None:
            yield "resolved_without_resolved_at", row.row
        resolved = resolved if state is None else state in _ENDED
    for one, other in pairwise(rows):
        if other.version < one.version:
            yield "version_falls", other.row
        elif other.version > one.version + 1:
            yield "version_skips", other.row
        if other.at == one.at:
            yield "same_minute", other.row
        if other.opened_at != one.opened_at:
            yield "opened_at_changes", other.row
        if other.caller != one.caller:
            yield "caller_changes", other.row
    lowest = rows[-1].at
    for row in reversed(rows):
        lowest = min(lowest, row.at)
        if row.at > lowest:
            yield "later_than_next", row.row
