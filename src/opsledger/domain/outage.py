"""Corrections of outages: a stretch of a service's time is of another class than the probes and incidents say.

One stream per service, `outage:platform`. What was measured stays; a reclassification says what it counts as, for what reason,
who asked and who else approved. Where two overlap the one recorded last counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, assert_never

from opsledger.domain.concept import Moment, another, concept, starts
from opsledger.domain.fact import At, Personal, Subject, fact
from opsledger.errors import Refused

__all__ = ["Class", "Fact", "Outages", "Reclassified", "evolve", "reclassify"]

Class = Literal["up", "degraded", "down", "unknown", "excluded"]
"""What a stretch counts as; excluded: as planned maintenance does, for a reason that the contract names."""


@fact("outage.reclassified", at="reclassified_at", corrects=lambda _: None)
class Reclassified:
    """It was decided that the time [start_at, end_at) of a service counts as another class than it was held to be."""

    reclassified_at: At
    service_id: str
    start_at: At
    end_at: At
    was: Class  # as the requester saw it
    now: Class
    incident_id: str | None = None  # where it is documented
    requested_by: str
    approved_by: str
    subject_id: Subject
    reason: Personal[str]


Fact = Reclassified


@dataclass(frozen=True, slots=True)
class Outages:
    """What was reclassified last, of a service."""

    last: Reclassified


@concept("outage")
def evolve(outages: Outages | None, event: Fact) -> Outages:
    """Return the outages after `event`."""
    match event:
        case Reclassified():
            return Outages(event)
        case _:
            assert_never(event)


@starts
def reclassify(
    outages: Outages | None,
    now: Moment,
    /,
    *,
    start_at: datetime,
    end_at: datetime,
    was: Class,
    to: Class,
    reason: str,
    requested_by: str,
    approved_by: str,
    incident_id: str | None = None,
) -> tuple[Fact, ...]:
    """Record that the time [start_at, end_at) of the service, held to be `was`, counts as `to`. Needs another person's approval."""
    another(approved_by, requested_by, "this reclassification")
    if end_at <= start_at:
        raise Refused("outage.backwards", f"The time from {start_at.isoformat()} to {end_at.isoformat()} does not run forwards.")
    if end_at > now.at:
        raise Refused("outage.future", f"{end_at.isoformat()} has not come yet; what is reclassified has passed.")
    if was == to:
        raise Refused("outage.same_class", f"The time is held to be {was} already; name the class that it has instead.")
    if not reason.strip():
        raise Refused("outage.no_reason", "A reclassification changes what is reported; say why.")
    last = outages.last if outages else None
    if last is not None and (last.start_at, last.end_at, last.was, last.now) == (start_at, end_at, was, to):
        return ()
    reclassified = Reclassified(
        reclassified_at=now.at,
        service_id=now.id,
        start_at=start_at,
        end_at=end_at,
        was=was,
        now=to,
        incident_id=incident_id,
        requested_by=requested_by,
        approved_by=approved_by,
        subject_id=now.stream,
        reason=reason,
    )
    return (reclassified,)
