"""Recovery drills: a failure is played, and a service is brought back as it would have to be.

    completed ──> corrected

A drill that missed a target, or could not bring the service back at all, is recorded like any other: that is what it is for.
Source: Operating Model, "SRE Responsibilities": disaster recovery and business continuity.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, assert_never

from opsledger.domain.concept import Moment, another, concept, starts
from opsledger.domain.corrections import check_held
from opsledger.domain.fact import At, Personal, Subject, fact
from opsledger.errors import Refused
from opsledger.policies.instants import micros
from opsledger.policies.recovery import Cause

__all__ = ["Completed", "Corrected", "Drill", "Fact", "What", "complete", "correct", "evolve"]

What = Literal["failed_at", "recovered_to", "restored_at"]

# Facts. Stored for good: grow by an optional field or by a new fact.


@fact("recovery_drill.completed", at="completed_at")
class Completed:
    """A drill is over, with what would have been lost and how long it took."""

    completed_at: At
    service_id: str
    failed_at: At  # when the failure was played
    recovered_to: At | None  # the last instant before it of which data came back; null: none did
    restored_at: At | None  # when the service could have been used again; null: it could not
    scenario: Cause
    led_by: str
    policy: str  # the operating model, by version and digest, that was in force at the failure
    point_id: str | None = None
    subject_id: Subject
    remark: Personal[str] | None = None


@fact("recovery_drill.corrected", at="corrected_at", corrects=lambda _: None)  # a correction, though of no time at which it was completed
class Corrected:
    """A time that the drill's fact says was another."""

    corrected_at: At
    corrects: int  # position of that fact
    what: What
    was: At | None
    now: At
    requested_by: str
    approved_by: str
    subject_id: Subject
    reason: Personal[str]


Fact = Completed | Corrected


@dataclass(frozen=True, slots=True)
class Drill:
    """A drill as its decisions see it, times as they are held now."""

    completed_at: datetime
    failed_at: datetime
    recovered_to: datetime | None
    restored_at: datetime | None


@concept("recovery_drill")
def evolve(drill: Drill | None, event: Fact) -> Drill:
    """Return the drill after `event`."""
    if drill is None:
        if not isinstance(event, Completed):
            raise Refused("recovery_drill.unknown", f"A drill begins with what came of it, not with {type(event).__name__}.")
        return Drill(event.completed_at, event.failed_at, event.recovered_to, event.restored_at)
    match event:
        case Completed():
            return drill
        case Corrected():
            return replace(drill, **{event.what: event.now})
        case _:
            assert_never(event)


@starts
def complete(
    drill: Drill | None,
    now: Moment,
    /,
    *,
    service_id: str,
    failed_at: datetime,
    recovered_to: datetime | None,
    restored_at: datetime | None,
    scenario: Cause,
    led_by: str | None = None,
    point_id: str | None = None,
    remark: str | None = None,
) -> tuple[Fact, ...]:
    """Record a drill that is over. `recovered_to` or `restored_at` null: the data, or the service, did not come back."""
    if drill is not None:
        raise Refused("recovery_drill.exists", f"{now.id} is recorded already; correct it, or choose another id.")
    _in_order(Drill(now.at, failed_at, recovered_to, restored_at))
    completed = Completed(
        completed_at=now.at,
        service_id=service_id,
        failed_at=failed_at,
        recovered_to=recovered_to,
        restored_at=restored_at,
        scenario=scenario,
        led_by=led_by or now.actor,
        policy=now.policies.known.in_force(micros(failed_at)).ref,
        point_id=point_id,
        subject_id=now.stream,
        remark=remark,
    )
    return (completed,)


def correct(
    drill: Drill,
    now: Moment,
    /,
    *,
    corrects: int,
    what: What,
    was: datetime | None,
    to: datetime,
    reason: str,
    requested_by: str,
    approved_by: str,
) -> tuple[Fact, ...]:
    """Record that a time of the drill was `to`, not `was`. Another person approves."""
    another(approved_by, requested_by, "this correction")
    if not isinstance(now.recorded(corrects).fact, Completed):
        raise Refused("correction.of_correction", f"Position {corrects} is a correction itself; correct the drill that it names.")
    check_held(corrects, getattr(drill, what), was)
    _in_order(replace(drill, **{what: to}))
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


def _in_order(drill: Drill) -> None:
    times = [each for each in (drill.recovered_to, drill.failed_at, drill.restored_at, drill.completed_at) if each is not None]
    if times != sorted(times):
        raise Refused("recovery_drill.order", "Data are of before the failure, the service is back after it, and then the drill is over.")
