"""Maintenance windows: work on services, announced before, done in time, or an emergency with the right approval.

    scheduled ──> notified, rescheduled ──> started ──> completed
        │             └─ emergency: approved, status updates ─┘
        └─ cancelled

Facts say what was planned, told and done; whether a window counts as planned maintenance is told by `policies.maintenance.judge`,
by the operating model in force when it was scheduled. Source: Operating Model, "Planned Maintenance".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Annotated, Literal, assert_never

from pydantic import Field

from opsledger.domain.concept import Moment, another, concept, starts
from opsledger.domain.fact import At, Personal, Subject, fact, part
from opsledger.errors import Refused
from opsledger.policies import maintenance as rules
from opsledger.policies.instants import micros, moment
from opsledger.policies.platform import Maintenance
from opsledger.policies.zones import VERSION

__all__ = [
    "Cancelled",
    "Completed",
    "EmergencyApproved",
    "Fact",
    "Kind",
    "Notified",
    "Rescheduled",
    "Scheduled",
    "Slot",
    "Started",
    "StatusPublished",
    "TimeCorrected",
    "Window",
    "approve_emergency",
    "cancel",
    "complete",
    "correct_time",
    "evolve",
    "notify",
    "publish_status",
    "reschedule",
    "schedule",
    "start",
]

Kind = Literal["planned", "emergency"]

# Facts. Stored for good: grow by an optional field or by a new fact.


@part
class Slot:
    """The hours in which the rules allow work on the local date on which a window starts; kept, so that no one asks a zone again."""

    day: date
    begins_at: At
    ends_at: At
    zone: str
    tzdata: str  # version of the tz database that was asked


@fact("maintenance.scheduled", at="scheduled_at")
class Scheduled:
    """Work on services was planned for a time, or an emergency was decided on."""

    scheduled_at: At
    kind: Kind
    services: Annotated[tuple[str, ...], Field(min_length=1)]
    start_at: At
    end_at: At
    slot: Slot
    policy: str  # the operating model, by version and digest, by whose rules the window is judged
    requested_by: str
    change_id: str | None = None  # the change that is made in it
    subject_id: Subject
    title: Personal[str]


@fact("maintenance.notified", at="sent_at")
class Notified:
    """An audience was told of the window as it was planned then."""

    sent_at: At
    audience: str  # as the operating model names it, for example customers
    channel: str
    start_at: At
    end_at: At


@fact("maintenance.rescheduled", at="rescheduled_at")
class Rescheduled:
    """The window was moved. Another start, or a later end, makes earlier notices void."""

    rescheduled_at: At
    start_at: At
    end_at: At
    slot: Slot
    subject_id: Subject
    reason: Personal[str] | None = None


@fact("maintenance.emergency_approved", at="approved_at")
class EmergencyApproved:
    """The one whom the operating model names allowed the emergency, before it or afterwards."""

    approved_at: At
    requested_by: str
    approved_by: str
    approver_role: str


@fact("maintenance.started", at="started_at")
class Started:
    """Work began."""

    started_at: At


@fact("maintenance.completed", at="completed_at")
class Completed:
    """Work ended; beyond the announced end it was an overrun."""

    completed_at: At


@fact("maintenance.cancelled", at="cancelled_at")
class Cancelled:
    """It was decided not to do the work in this window."""

    cancelled_at: At
    subject_id: Subject
    reason: Personal[str] | None = None


@fact("maintenance.status_published", at="published_at")
class StatusPublished:
    """An audience was told how the work stands."""

    published_at: At
    audience: str
    subject_id: Subject
    message: Personal[str] | None = None


@fact("maintenance.time_corrected", at="corrected_at", corrects=lambda event: (event.corrects, event.now))
class TimeCorrected:
    """What an earlier fact of this window says happened at another time than it says."""

    corrected_at: At
    corrects: int  # position of that fact
    what: str  # the last word of its topic, for example started
    was: At
    now: At
    requested_by: str
    approved_by: str
    subject_id: Subject
    reason: Personal[str]


Fact = Scheduled | Notified | Rescheduled | EmergencyApproved | Started | Completed | Cancelled | StatusPublished | TimeCorrected

# State. Times by the last word of the topic that says them, so that a correction finds them.


@dataclass(frozen=True, slots=True)
class Window:
    """A window as its decisions see it."""

    kind: Kind
    policy: str
    requested_by: str
    start_at: datetime
    end_at: datetime
    times: Mapping[str, datetime]
    told: frozenset[tuple[str, str, datetime]] = field(default_factory=frozenset)  # audience, channel, when
    published: frozenset[tuple[str, datetime]] = field(default_factory=frozenset)

    def reached(self, what: str, at: datetime) -> bool:
        """Return whether something is known to have happened by `at`."""
        return what in self.times and at >= self.times[what]


@concept("maintenance")
def evolve(window: Window | None, event: Fact) -> Window:
    """Return the window after `event`, for every history ever recorded."""
    if window is None:
        if not isinstance(event, Scheduled):
            raise Refused("maintenance.unscheduled", f"A window begins with being scheduled, not with {type(event).__name__}.")
        times = {"scheduled": event.scheduled_at}
        return Window(event.kind, event.policy, event.requested_by, event.start_at, event.end_at, times)
    match event:
        case Scheduled():
            return window
        case Notified():
            return replace(window, told=window.told | {(event.audience, event.channel, event.sent_at)})
        case Rescheduled():
            if not window.reached("rescheduled", event.rescheduled_at) and "rescheduled" in window.times:
                return window  # typed in late, and moved again since
            return _at(replace(window, start_at=event.start_at, end_at=event.end_at), "rescheduled", event.rescheduled_at)
        case EmergencyApproved():
            return _at(window, "emergency_approved", min(event.approved_at, window.times.get("emergency_approved", event.approved_at)))
        case Started():
            return _at(window, "started", event.started_at)
        case Completed():
            return _at(window, "completed", event.completed_at)
        case Cancelled():
            return _at(window, "cancelled", event.cancelled_at)
        case StatusPublished():
            return replace(window, published=window.published | {(event.audience, event.published_at)})
        case TimeCorrected():
            return _at(window, event.what, event.now) if window.times.get(event.what) == event.was else window
        case _:
            assert_never(event)


def _at(window: Window, what: str, at: datetime) -> Window:
    return replace(window, times={**window.times, what: at})


# Decisions. Return the facts to record; `()` when there is nothing to add.


@starts
def schedule(
    window: Window | None,
    now: Moment,
    /,
    *,
    services: tuple[str, ...],
    start_at: datetime,
    end_at: datetime,
    title: str,
    kind: Kind = "planned",
    change_id: str | None = None,
) -> tuple[Fact, ...]:
    """Record that work on services is planned for [start_at, end_at), or that an emergency was decided on."""
    if window is not None:
        raise Refused("maintenance.exists", f"{now.id} is scheduled already; reschedule it, or choose another id.")
    if not services:
        raise Refused("maintenance.no_service", "A window is for one service or more; name them.")
    _forwards(start_at, end_at)
    policy = now.policies.in_force
    scheduled = Scheduled(
        scheduled_at=now.at,
        kind=kind,
        services=tuple(dict.fromkeys(services)),
        start_at=start_at,
        end_at=end_at,
        slot=_slot(policy.model.maintenance, start_at),
        policy=policy.ref,
        requested_by=now.actor,
        change_id=change_id,
        subject_id=now.stream,
        title=title,
    )
    return (scheduled,)


def notify(window: Window, now: Moment, /, *, audience: str, channel: str) -> tuple[Fact, ...]:
    """Record that an audience was told, by a channel, of the window as it was planned at that time."""
    if (audience, channel, now.at) in window.told:
        return ()
    _is_on(window, now, "notice")
    planned = now.then(window)
    return (Notified(sent_at=now.at, audience=audience, channel=channel, start_at=planned.start_at, end_at=planned.end_at),)


def reschedule(window: Window, now: Moment, /, *, start_at: datetime, end_at: datetime, reason: str | None = None) -> tuple[Fact, ...]:
    """Record that the window was moved before work began. Whoever was told of another start has to be told again."""
    _forwards(start_at, end_at)
    _is_on(window, now, "new time")
    if window.reached("started", now.at):
        raise Refused("maintenance.started", "Work has begun; what goes on beyond the announced end is an overrun, not a new time.")
    planned = now.then(window)
    if (planned.start_at, planned.end_at) == (start_at, end_at):
        return ()
    slot = _slot(now.policies.of(window.policy).maintenance, start_at)
    moved = Rescheduled(rescheduled_at=now.at, start_at=start_at, end_at=end_at, slot=slot, subject_id=now.stream, reason=reason)
    return (moved,)


def approve_emergency(window: Window, now: Moment, /) -> tuple[Fact, ...]:
    """Record that the actor, who has the role that the operating model names, allows the emergency. The first approval counts."""
    if window.kind != "emergency":
        raise Refused("maintenance.planned", "A planned window needs no approval as an emergency; an emergency is scheduled as one.")
    role = now.policies.of(window.policy).maintenance.emergency_approver
    if now.role != role:
        raise Refused("maintenance.approver", f"An emergency is approved in the role {role}, not {now.role}; let one who has it approve.")
    another(now.actor, window.requested_by, "this emergency")
    if window.reached("emergency_approved", now.at):
        return ()
    _since_scheduled(window, now.at, "approval")
    approved = EmergencyApproved(approved_at=now.at, requested_by=window.requested_by, approved_by=now.actor, approver_role=now.role)
    return (approved,)


def start(window: Window, now: Moment, /) -> tuple[Fact, ...]:
    """Record that work began, in time or not, with approval or without: what was done is recorded, and judged afterwards."""
    if window.times.get("started") == now.at:
        return ()
    _is_on(window, now, "start")
    _once(window, "started")
    if "completed" in window.times and now.at > window.times["completed"]:
        raise Refused("maintenance.completed", "Work was completed before that; say when it began, or correct when it ended.")
    return (Started(started_at=now.at),)


def complete(window: Window, now: Moment, /) -> tuple[Fact, ...]:
    """Record that work ended."""
    if window.times.get("completed") == now.at:
        return ()
    _once(window, "completed")
    if not window.reached("started", now.at):
        raise Refused("maintenance.not_started", "Work is not known to have begun by then; record its start first.")
    return (Completed(completed_at=now.at),)


def cancel(window: Window, now: Moment, /, *, reason: str | None = None) -> tuple[Fact, ...]:
    """Record that the work will not be done in this window."""
    if window.times.get("cancelled") == now.at:
        return ()
    _once(window, "cancelled")
    if window.reached("started", now.at):
        raise Refused("maintenance.started", "Work has begun and cannot be cancelled any more; complete it when it is ended.")
    _since_scheduled(window, now.at, "cancellation")
    return (Cancelled(cancelled_at=now.at, subject_id=now.stream, reason=reason),)


def publish_status(window: Window, now: Moment, /, *, audience: str, message: str | None = None) -> tuple[Fact, ...]:
    """Record that an audience was told how the work stands, also after its end."""
    if (audience, now.at) in window.published:
        return ()
    _since_scheduled(window, now.at, "status update")
    return (StatusPublished(published_at=now.at, audience=audience, subject_id=now.stream, message=message),)


def correct_time(
    window: Window, now: Moment, /, *, corrects: int, was: datetime, to: datetime, reason: str, requested_by: str, approved_by: str
) -> tuple[Fact, ...]:
    """Record that what the fact at position `corrects` says happened at `was` happened at `to`. Needs another person's approval."""
    another(approved_by, requested_by, "this correction")
    said = now.recorded(corrects)
    if isinstance(said.fact, TimeCorrected):
        raise Refused("correction.of_correction", f"Position {corrects} is a correction itself; correct position {said.fact.corrects}.")
    what = said.topic.partition(".")[2]
    earlier = [each.fact for each in now.history if isinstance(each.fact, TimeCorrected) and each.fact.corrects == corrects]
    held = earlier[-1].now if earlier else moment(said.occurred_at)
    if held != was:
        raise Refused("correction.was", f"Position {corrects} does not say {was.isoformat()}; look at it again with its history.")
    if to > now.at:
        raise Refused("correction.future", f"{to.isoformat()} has not come yet; what is recorded has happened.")
    if what != "scheduled":
        _since_scheduled(window, to, what)
    if to == held:
        return ()
    corrected = TimeCorrected(
        corrected_at=now.at,
        corrects=corrects,
        what=what,
        was=was,
        now=to,
        requested_by=requested_by,
        approved_by=approved_by,
        subject_id=now.stream,
        reason=reason,
    )
    return (corrected,)


def _forwards(start_at: datetime, end_at: datetime) -> None:
    if end_at <= start_at:
        raise Refused("maintenance.backwards", f"A window from {start_at.isoformat()} to {end_at.isoformat()} does not run forwards.")


def _slot(allowed: Maintenance, start_at: datetime) -> Slot:
    slot = rules.slot_on(allowed, micros(start_at))
    return Slot(day=slot.day, begins_at=moment(slot.low), ends_at=moment(slot.high), zone=allowed.zone, tzdata=VERSION)


def _since_scheduled(window: Window, at: datetime, what: str) -> None:
    scheduled_at = window.times["scheduled"]
    if at < scheduled_at:
        raise Refused(
            "maintenance.before_scheduling",
            f"A {what} at {at.isoformat()} lies before the window was scheduled at {scheduled_at.isoformat()}; correct that time first.",
        )


def _is_on(window: Window, now: Moment, what: str) -> None:
    """Refuse what a window takes only while it is on: what happened before its cancellation and comes late is let through."""
    _since_scheduled(window, now.at, what)
    if window.reached("cancelled", now.at):
        raise Refused("maintenance.cancelled", f"A cancelled window takes no {what}; schedule another one.")


def _once(window: Window, what: str) -> None:
    if what in window.times:
        raise Refused(f"maintenance.{what}", f"It was {what} at {window.times[what].isoformat()}; correct that time if it is wrong.")
