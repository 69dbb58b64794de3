"""What happens in an incident. Stored for good: grow by an optional field or by a new fact.

Free text is personal and sealed for the incident itself: `subject_id` is its stream, `incident:INC-7`. So an incident's words
can be erased together, and erasing a person takes no incident's record along. People are opaque ids.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import Field

from opsledger.domain.fact import At, Personal, Subject, fact, fact_type

Severity = Literal["critical", "high", "medium", "low"]
SEVERITIES: Final[tuple[Severity, ...]] = ("critical", "high", "medium", "low")
DetectionSource = Literal["monitoring", "customer", "proactive", "third_party"]
Role = Literal["commander", "communications", "scribe", "liaison", "responder"]
Audience = Literal["internal", "executives", "customers", "public"]
Phase = Literal["investigating", "identified", "monitoring", "resolved"]

FIELD_MILESTONES: Final = {"detected": "detected_at", "impact_started": "impact_started_at"}
"""Milestones that a fact states beside its own time, and the field that holds each."""

# Detection.


@fact("incident.declared", at="declared_at")
class Declared:
    """Somebody said that what was noticed is an incident."""

    declared_at: At
    detection_source: DetectionSource
    severity: Severity
    detected_at: At  # when a person or a machine first noticed
    impact_started_at: At | None = None  # null: not known yet; it may lie before the detection, or after one that was proactive
    services: tuple[str, ...] = ()  # ids of those affected from the start of the impact on
    subject_id: Subject
    title: Personal[str]
    details: Personal[str] | None = None


@fact("incident.impact_start_stated", at="stated_at")
class ImpactStartStated:
    """It was found out when the impact had started."""

    stated_at: At
    impact_started_at: At


# Response.


@fact("incident.acknowledged", at="acknowledged_at")
class Acknowledged:
    """Somebody took it on."""

    acknowledged_at: At
    responder_id: str


@fact("incident.unacknowledged", at="unacknowledged_at")
class Unacknowledged:
    """Nobody has it on any more: who took it on gave it back, or did not answer in time."""

    unacknowledged_at: At
    cause: Literal["timeout", "person"]


@fact("incident.triaged", at="triaged_at")
class Triaged:
    """Somebody judged what it is and how bad."""

    triaged_at: At
    category: str | None = None
    subject_id: Subject
    assessment: Personal[str] | None = None


@fact("incident.severity_changed", at="changed_at")
class SeverityChanged:
    """It turned out to be worse or less bad than thought."""

    changed_at: At
    was: Severity
    severity: Severity
    subject_id: Subject
    reason: Personal[str] | None = None


@fact("incident.role_assigned", at="assigned_at")
class RoleAssigned:
    """A person took a role; all but that of responder have one holder, whom the new one relieves."""

    assigned_at: At
    role: Role
    person_id: str


@fact("incident.role_released", at="released_at")
class RoleReleased:
    """A person gave a role up."""

    released_at: At
    role: Role
    person_id: str


@fact("incident.war_room_opened", at="opened_at")
class WarRoomOpened:
    """Those who work on it were called together."""

    opened_at: At


@fact("incident.war_room_closed", at="closed_at")
class WarRoomClosed:
    """Those who worked on it together parted."""

    closed_at: At


@fact("incident.status_published", at="published_at")
class StatusPublished:
    """An audience was told how it stands."""

    published_at: At
    audience: Audience
    phase: Phase
    subject_id: Subject
    message: Personal[str] | None = None


@fact("incident.service_affected", at="affected_at")
class ServiceAffected:
    """A service was drawn in."""

    affected_at: At
    service_id: str


@fact("incident.service_restored", at="restored_at")
class ServiceRestored:
    """A service worked again."""

    restored_at: At
    service_id: str


# Resolution.


@fact("incident.root_cause_identified", at="identified_at")
class RootCauseIdentified:
    """It was understood why it happened."""

    identified_at: At
    category: str | None = None
    change_id: str | None = None  # the change that caused it, if one did
    subject_id: Subject
    cause: Personal[str]


@fact("incident.mitigated", at="mitigated_at")
class Mitigated:
    """The impact ended or became bearable; the cause may be there still."""

    mitigated_at: At
    subject_id: Subject
    action: Personal[str] | None = None


@fact("incident.fix_validated", at="validated_at")
class FixValidated:
    """The fix was tested and found to hold."""

    validated_at: At
    subject_id: Subject
    evidence: Personal[str] | None = None


@fact("incident.rollout_advanced", at="advanced_at")
class RolloutAdvanced:
    """The fix reached this share of production; less than before when it was taken back."""

    advanced_at: At
    rollout_pct: Annotated[int, Field(ge=0, le=100)]
    change_id: str | None = None


@fact("incident.resolved", at="resolved_at")
class Resolved:
    """Impact and cause are gone, as far as we can see."""

    resolved_at: At
    subject_id: Subject
    resolution: Personal[str] | None = None


@fact("incident.reopened", at="reopened_at")
class Reopened:
    """It was not gone after all."""

    reopened_at: At
    subject_id: Subject
    reason: Personal[str] | None = None


@fact("incident.closed", at="closed_at")
class Closed:
    """It is documented, and nothing more is expected but what its review asks for."""

    closed_at: At


# After.


@fact("incident.review_held", at="held_at")
class ReviewHeld:
    """Those concerned met to learn from it."""

    held_at: At
    participants: tuple[str, ...] = ()  # opaque ids
    document_id: str | None = None  # where the analysis of the root cause is kept
    subject_id: Subject
    findings: Personal[str] | None = None


@fact("incident.action_item_opened", at="opened_at")
class ActionItemOpened:
    """Somebody shall do something so that it does not come back, or is dealt with better."""

    opened_at: At
    item_id: str
    owner_id: str | None = None
    due_at: At | None = None
    subject_id: Subject
    description: Personal[str]


@fact("incident.action_item_completed", at="completed_at")
class ActionItemCompleted:
    """An action item was done."""

    completed_at: At
    item_id: str


@fact("incident.action_item_dropped", at="dropped_at")
class ActionItemDropped:
    """It was decided not to do an action item."""

    dropped_at: At
    item_id: str
    subject_id: Subject
    reason: Personal[str] | None = None


# Corrections.


def _retimes(event: MilestoneCorrected) -> tuple[int, datetime] | None:
    return None if event.milestone in FIELD_MILESTONES else (event.corrects, event.now)


@fact("incident.milestone_corrected", at="corrected_at", corrects=_retimes)
class MilestoneCorrected:
    """A milestone of this incident was passed at another time than an earlier fact says."""

    corrected_at: At
    corrects: int  # position of that fact
    milestone: str  # the last word of its topic for its own time, as in "resolved"; or detected, impact_started
    was: At
    now: At
    requested_by: str
    approved_by: str
    subject_id: Subject
    reason: Personal[str]


Fact = (
    Declared
    | ImpactStartStated
    | Acknowledged
    | Unacknowledged
    | Triaged
    | SeverityChanged
    | RoleAssigned
    | RoleReleased
    | WarRoomOpened
    | WarRoomClosed
    | StatusPublished
    | ServiceAffected
    | ServiceRestored
    | RootCauseIdentified
    | Mitigated
    | FixValidated
    | RolloutAdvanced
    | Resolved
    | Reopened
    | Closed
    | ReviewHeld
    | ActionItemOpened
    | ActionItemCompleted
    | ActionItemDropped
    | MilestoneCorrected
)


def milestones_of(event: Fact) -> dict[str, str]:
    """Return the milestones that a fact may state, each with the field that holds its time (null there: not stated)."""
    kind = fact_type(type(event))
    stated = {kind.topic.partition(".")[2]: kind.at}
    return stated | {name: field for name, field in FIELD_MILESTONES.items() if hasattr(event, field)}
