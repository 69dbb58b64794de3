"""Recovery points: instants to which the data of a service can be brought back.

    taken ──> found unusable          one stream per service and UTC month of their completion, `recovery_point:database/2026-03`
      └─ corrected

One fact per backup, or, where changes are shipped all the time, one for a stretch in which they were (`covers_from`): never one per
shipment. Facts may enter by `ledger.by(...).observe`; the decisions are for those who record few, and for corrections.
Source: Operating Model, "Platform Availability SLAs": recovery points of less than 15 minutes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Annotated, Literal, assert_never

from pydantic import Field

from opsledger.domain.concept import Moment, another, concept, starts
from opsledger.domain.corrections import check_held
from opsledger.domain.fact import At, Personal, Subject, fact
from opsledger.errors import Refused

__all__ = [
    "Corrected",
    "Defect",
    "Fact",
    "FoundUnusable",
    "Kind",
    "Points",
    "Taken",
    "correct",
    "evolve",
    "find_unusable",
    "stream_of",
    "take",
]

Kind = Literal["full", "differential", "incremental", "log", "snapshot", "replica"]
Defect = Literal["damaged", "incomplete", "lost"]
Micros = Annotated[int, Field(ge=0)]

# Facts. Stored for good: grow by an optional field or by a new fact.


@fact("recovery_point.taken", at="completed_at")
class Taken:
    """The data of a service are safe elsewhere, as they were at an instant, and can be brought back to it."""

    completed_at: At  # from then on it can be restored from
    service_id: str
    point_id: str
    kind: Kind
    recoverable_at: At  # the instant to which the data can be brought back
    covers_from: At | None = None  # since then, up to recoverable_at, a failure would have lost no more than the next; null: not said
    lost_at_most_us: Micros | None = None
    place: str | None = None  # where it is kept, in a word of one's own
    size_bytes: Micros | None = None
    digest: str | None = None  # of what is kept, as its maker writes it


@fact("recovery_point.found_unusable", at="found_at")
class FoundUnusable:
    """It was seen that a recovery point cannot be restored from: it never could, or it is lost."""

    found_at: At
    service_id: str
    point_id: str
    defect: Defect  # damaged and incomplete ones never were of use; one that is lost was up to then
    found_by: str
    subject_id: Subject
    remark: Personal[str] | None = None


@fact("recovery_point.corrected", at="corrected_at", corrects=lambda _: None)  # a correction, though of no time at which it happened
class Corrected:
    """The data can be brought back to another instant than an earlier fact says."""

    corrected_at: At
    corrects: int  # position of that fact
    was: At
    now: At
    requested_by: str
    approved_by: str
    subject_id: Subject
    reason: Personal[str]


Fact = Taken | FoundUnusable | Corrected

# State.


@dataclass(frozen=True, slots=True)
class Points:
    """The points of a service and month: to when each can bring data back, and which cannot."""

    service_id: str
    taken: Mapping[str, Taken] = field(default_factory=dict)
    unusable: frozenset[str] = frozenset()


@concept("recovery_point", observed=True)
def evolve(points: Points | None, event: Fact) -> Points:
    """Return the points after `event`. The first fact that says of a point when it was taken counts."""
    match event:
        case Taken():
            known = points or Points(event.service_id)
            return replace(known, taken={event.point_id: event, **known.taken})
        case FoundUnusable():
            known = points or Points(event.service_id)
            return replace(known, unusable=known.unusable | {event.point_id})
        case Corrected():
            return points or Points("")
        case _:
            assert_never(event)


def stream_of(service_id: str, completed_at: datetime) -> str:
    """Return the stream of the points of a service that are completed in the UTC month of an instant."""
    return f"recovery_point:{service_id}/{completed_at.astimezone(UTC):%Y-%m}"


# Decisions. Return the facts to record; `()` when there is nothing to add.


@starts
def take(
    points: Points | None,
    now: Moment,
    /,
    *,
    service_id: str,
    point_id: str,
    kind: Kind,
    recoverable_at: datetime,
    covers_from: datetime | None = None,
    lost_at_most_us: int | None = None,
    place: str | None = None,
    size_bytes: int | None = None,
    digest: str | None = None,
) -> tuple[Fact, ...]:
    """Record that the data of a service can be restored, from now on, as they were at `recoverable_at`.

    `covers_from` and `lost_at_most_us` together sum up points taken all the time since then: what a failure would have lost at most.
    """
    own = stream_of(service_id, now.at)
    if now.stream != own:
        raise Refused("recovery_point.stream", f"A point of {service_id} completed then has the id {own.partition(':')[2]}, not {now.id}.")
    if recoverable_at > now.at:
        raise Refused("recovery_point.future", f"Nothing can be brought back to {recoverable_at.isoformat()}, which has not come yet.")
    if (covers_from is None) != (lost_at_most_us is None):
        raise Refused("recovery_point.half_covered", "A stretch covered needs both its start and what would have been lost at most.")
    if covers_from is not None and covers_from >= recoverable_at:
        raise Refused("recovery_point.backwards", f"A stretch from {covers_from.isoformat()} does not run forwards; give an earlier start.")
    taken = Taken(
        completed_at=now.at,
        service_id=service_id,
        point_id=point_id,
        kind=kind,
        recoverable_at=recoverable_at,
        covers_from=covers_from,
        lost_at_most_us=lost_at_most_us,
        place=place,
        size_bytes=size_bytes,
        digest=digest,
    )
    known = points.taken.get(point_id) if points else None
    if known == taken:
        return ()
    if known is not None:
        raise Refused("recovery_point.exists", f"{point_id} is recorded with other values already; correct it, or choose another id.")
    return (taken,)


def find_unusable(points: Points, now: Moment, /, *, point_id: str, defect: Defect, remark: str | None = None) -> tuple[Fact, ...]:
    """Record that a point cannot be restored from. The first finding counts."""
    known = points.taken.get(point_id)
    if known is None:
        raise Refused("recovery_point.unknown", f"No point {point_id} is recorded under {now.id}; name one that is.")
    if now.at < known.completed_at:
        raise Refused("recovery_point.too_early", f"{point_id} was completed at {known.completed_at.isoformat()}; say when it was tried.")
    if point_id in points.unusable:
        return ()
    found = FoundUnusable(
        found_at=now.at,
        service_id=points.service_id,
        point_id=point_id,
        defect=defect,
        found_by=now.actor,
        subject_id=now.stream,
        remark=remark,
    )
    return (found,)


def correct(
    points: Points, now: Moment, /, *, corrects: int, was: datetime, to: datetime, reason: str, requested_by: str, approved_by: str
) -> tuple[Fact, ...]:
    """Record that the point at position `corrects` brings data back to `to`, not `was`. Another person approves."""
    another(approved_by, requested_by, "this correction")
    named = now.recorded(corrects).fact
    if not isinstance(named, Taken):
        raise Refused("correction.not_a_point", f"Position {corrects} is no recovery point; name the one that says it wrongly.")
    said = [each.fact.now for each in now.history if isinstance(each.fact, Corrected) and each.fact.corrects == corrects]
    check_held(corrects, said[-1] if said else named.recoverable_at, was)
    if to > named.completed_at:
        raise Refused("recovery_point.future", f"The point was completed at {named.completed_at.isoformat()} and holds nothing later.")
    if to == was:
        return ()
    corrected = Corrected(
        corrected_at=now.at,
        corrects=corrects,
        was=was,
        now=to,
        requested_by=requested_by,
        approved_by=approved_by,
        subject_id=now.stream,
        reason=reason,
    )
    return (corrected,)
