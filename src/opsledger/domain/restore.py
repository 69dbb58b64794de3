"""Restores: a service failed, and its data are brought back from a recovery point.

    started ──> completed
       │  └─ abandoned: it could not be done this way
       └─ corrected

What was lost and how long it took are told by the tables, by the operating model in force when the service failed.
Source: Operating Model, "Platform Availability SLAs": "RTO <1 hour, RPO <15 minutes".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal, assert_never

from opsledger.domain.concept import Moment, another, concept, starts
from opsledger.domain.corrections import check_held
from opsledger.domain.fact import At, Personal, Subject, fact
from opsledger.errors import Refused
from opsledger.policies.instants import micros
from opsledger.policies.recovery import Cause

__all__ = [
    "Abandoned",
    "Completed",
    "Corrected",
    "Fact",
    "Restore",
    "Started",
    "What",
    "abandon",
    "complete",
    "correct",
    "evolve",
    "start",
]

What = Literal["failed_at", "recovered_to", "restored_at"]
"""What a correction may put right: each is said by one fact of the restore."""

# Facts. Stored for good: grow by an optional field or by a new fact.


@fact("restore.started", at="started_at")
class Started:
    """People began to bring a service's data back, after it had failed."""

    started_at: At
    service_id: str
    failed_at: At  # from then on it had lost its data, or could not be used for want of them
    cause: Cause
    led_by: str
    policy: str  # the operating model, by version and digest, that was in force when it failed
    point_id: str | None = None  # the recovery point from which it is done
    incident_id: str | None = None


@fact("restore.completed", at="restored_at")
class Completed:
    """The service could be used again, with its data as they had been at an instant."""

    restored_at: At
    recovered_to: At  # the last instant of which the data are there
    subject_id: Subject
    remark: Personal[str] | None = None


@fact("restore.abandoned", at="abandoned_at")
class Abandoned:
    """The restore was given up; another one may bring the data back."""

    abandoned_at: At
    subject_id: Subject
    reason: Personal[str] | None = None


@fact(
    "restore.corrected",
    at="corrected_at",
    corrects=lambda event: (event.corrects, event.now) if event.what == "restored_at" else None,
)
class Corrected:
    """A time that an earlier fact of this restore says was another."""

    corrected_at: At
    corrects: int  # position of that fact
    what: What
    was: At
    now: At
    requested_by: str
    approved_by: str
    subject_id: Subject
    reason: Personal[str]


Fact = Started | Completed | Abandoned | Corrected

_SAID_BY: Final[Mapping[What, type]] = {"failed_at": Started, "recovered_to": Completed, "restored_at": Completed}

# State.


@dataclass(frozen=True, slots=True)
class Restore:
    """A restore as its decisions see it, times as they are held now."""

    started_at: datetime
    failed_at: datetime
    recovered_to: datetime | None = None
    restored_at: datetime | None = None
    abandoned_at: datetime | None = None


@concept("restore")
def evolve(restore: Restore | None, event: Fact) -> Restore:
    """Return the restore after `event`, for every history ever recorded."""
    if restore is None:
        if not isinstance(event, Started):
            raise Refused("restore.not_started", f"A restore begins with its start, not with {type(event).__name__}.")
        return Restore(event.started_at, event.failed_at)
    match event:
        case Started():
            return restore
        case Completed():
            return replace(restore, recovered_to=event.recovered_to, restored_at=event.restored_at)
        case Abandoned():
            return replace(restore, abandoned_at=event.abandoned_at)
        case Corrected():
            return replace(restore, **{event.what: event.now})
        case _:
            assert_never(event)


# Decisions. Return the facts to record; `()` when there is nothing to add.


@starts
def start(
    restore: Restore | None,
    now: Moment,
    /,
    *,
    service_id: str,
    failed_at: datetime,
    cause: Cause,
    point_id: str | None = None,
    incident_id: str | None = None,
    led_by: str | None = None,
) -> tuple[Fact, ...]:
    """Record that people begin to bring back the data of a service that failed at `failed_at`."""
    if restore is not None:
        raise Refused("restore.exists", f"{now.id} is begun already; record on it, or choose another id.")
    if failed_at > now.at:
        raise Refused("restore.before_failure", f"A restore at {now.at.isoformat()} lies before the failure at {failed_at.isoformat()}.")
    started = Started(
        started_at=now.at,
        service_id=service_id,
        failed_at=failed_at,
        cause=cause,
        led_by=led_by or now.actor,
        policy=now.policies.known.in_force(micros(failed_at)).ref,
        point_id=point_id,
        incident_id=incident_id,
    )
    return (started,)


def complete(restore: Restore, now: Moment, /, *, recovered_to: datetime, remark: str | None = None) -> tuple[Fact, ...]:
    """Record that the service can be used again, with its data as they were at `recovered_to`."""
    if (restore.restored_at, restore.recovered_to) == (now.at, recovered_to):
        return ()
    _open(restore, now)
    if recovered_to > restore.failed_at:
        raise Refused(
            "restore.after_failure", f"The service failed at {restore.failed_at.isoformat()} and has no data of later to bring back."
        )
    return (Completed(restored_at=now.at, recovered_to=recovered_to, subject_id=now.stream, remark=remark),)


def abandon(restore: Restore, now: Moment, /, *, reason: str | None = None) -> tuple[Fact, ...]:
    """Record that this restore is given up. Whoever brings the data back in another way starts another restore."""
    if restore.abandoned_at == now.at:
        return ()
    _open(restore, now)
    return (Abandoned(abandoned_at=now.at, subject_id=now.stream, reason=reason),)


def correct(
    restore: Restore,
    now: Moment,
    /,
    *,
    corrects: int,
    what: What,
    was: datetime,
    to: datetime,
    reason: str,
    requested_by: str,
    approved_by: str,
) -> tuple[Fact, ...]:
    """Record that a time of the fact at position `corrects` was `to`, not `was`. Another person approves."""
    another(approved_by, requested_by, "this correction")
    if not isinstance(now.recorded(corrects).fact, _SAID_BY[what]):
        raise Refused("correction.not_said", f"Position {corrects} says nothing of {what}; name the fact of this restore that does.")
    check_held(corrects, getattr(restore, what), was)
    if to > now.at:
        raise Refused("correction.future", f"{to.isoformat()} has not come yet; what is recorded has happened.")
    after = replace(restore, **{what: to})
    times = [each for each in (after.recovered_to, after.failed_at, after.restored_at) if each is not None]
    if times != sorted(times) or (after.restored_at is not None and after.restored_at < after.started_at):
        raise Refused("correction.order", "Data are of before the failure, and the service is back after it; that time cannot be.")
    if to == was:
        return ()
    corrected = Corrected(
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


def _open(restore: Restore, now: Moment) -> None:
    if restore.restored_at is not None:
        raise Refused("restore.completed", f"It was completed at {restore.restored_at.isoformat()}; correct that time if it is wrong.")
    if restore.abandoned_at is not None:
        raise Refused("restore.abandoned", f"It was given up at {restore.abandoned_at.isoformat()}; start another restore.")
    if now.at < restore.started_at:
        raise Refused("restore.before_start", f"Its end at {now.at.isoformat()} lies before its start at {restore.started_at.isoformat()}.")
