"""Decisions from detection to the people at work: declare, acknowledge, triage, roles, war room, words to the world, services."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from opsledger.domain.concept import Moment, starts
from opsledger.domain.incident import facts as f
from opsledger.domain.incident.state import Incident, holds, post, says, unclosed, unresolved
from opsledger.errors import Refused


@starts
def declare(
    incident: Incident | None,
    now: Moment,
    /,
    *,
    detection_source: f.DetectionSource,
    severity: f.Severity,
    title: str,
    details: str | None = None,
    detected_at: datetime | None = None,
    impact_started_at: datetime | None = None,
    services: tuple[str, ...] = (),
) -> tuple[f.Fact, ...]:
    """Record that what was noticed at `detected_at` (default: now) is an incident, with the services known to be affected."""
    if incident is not None:
        raise Refused("incident.exists", "This incident is declared already; record on it, or choose another id.")
    _has_come(now, detected_at, "detection")
    _has_come(now, impact_started_at, "start of the impact")
    declared = f.Declared(
        declared_at=now.at,
        detection_source=detection_source,
        severity=severity,
        detected_at=detected_at or now.at,
        impact_started_at=impact_started_at,
        services=tuple(dict.fromkeys(services)),
        subject_id=now.stream,
        title=title,
        details=details,
    )
    return (declared,)


def state_impact(incident: Incident, now: Moment, /, *, impact_started_at: datetime) -> tuple[f.Fact, ...]:
    """Record when the impact started, which was not known at the declaration."""
    _has_come(now, impact_started_at, "start of the impact")
    known = incident.impact_started_at
    if known == impact_started_at:
        return ()
    if known is not None:
        raise Refused(
            "incident.impact_known", f"The impact is known to have started at {known.isoformat()}; correct that milestone instead."
        )
    return (f.ImpactStartStated(stated_at=now.at, impact_started_at=impact_started_at),)


def acknowledge(incident: Incident, now: Moment, /, *, responder_id: str | None = None) -> tuple[f.Fact, ...]:
    """Record that somebody, by default the actor, took it on. The first one counts; those after it are kept."""
    if now.at in incident.acknowledged:
        return ()
    unresolved(incident, now, "acknowledgement")
    return (f.Acknowledged(acknowledged_at=now.at, responder_id=responder_id or now.actor),)


def unacknowledge(incident: Incident, now: Moment, /, *, cause: Literal["timeout", "person"] = "person") -> tuple[f.Fact, ...]:
    """Record that nobody has it on any more. The time to acknowledge stays that of the first acknowledgement."""
    if now.at in incident.unacknowledged:
        return ()
    unresolved(incident, now, "withdrawal of an acknowledgement")
    if not any(at <= now.at for at in incident.acknowledged):
        raise Refused("incident.unacknowledged", "Nobody had taken this incident on by then; there is nothing to give back.")
    return (f.Unacknowledged(unacknowledged_at=now.at, cause=cause),)


def triage(incident: Incident, now: Moment, /, *, category: str | None = None, assessment: str | None = None) -> tuple[f.Fact, ...]:
    """Record that somebody judged what it is and how bad."""
    if incident.triaged_at == now.at:
        return ()
    unresolved(incident, now, "triage")
    return (f.Triaged(triaged_at=now.at, category=category, subject_id=now.stream, assessment=assessment),)


def change_severity(incident: Incident, now: Moment, /, *, severity: f.Severity, reason: str | None = None) -> tuple[f.Fact, ...]:
    """Record another severity, also one found in a review after the end."""
    if says(incident.severity, now, severity):
        return ()
    changed = f.SeverityChanged(changed_at=now.at, was=incident.severity.value, severity=severity, subject_id=now.stream, reason=reason)
    return (changed,)


def assign_role(incident: Incident, now: Moment, /, *, role: f.Role, person_id: str) -> tuple[f.Fact, ...]:
    """Record that a person took a role. All but that of responder have one holder, who is relieved by this."""
    if says(incident.roles.get(post(role, person_id)), now, person_id):
        return ()
    unclosed(incident, now, "role")
    return (f.RoleAssigned(assigned_at=now.at, role=role, person_id=person_id),)


def release_role(incident: Incident, now: Moment, /, *, role: f.Role, person_id: str) -> tuple[f.Fact, ...]:
    """Record that a person gave a role up. Nothing is added where somebody else has it by then."""
    known = incident.roles.get(post(role, person_id))
    if known is None:
        raise Refused("incident.role_unfilled", f"{person_id} has not been {role} of this incident; record the assignment first.")
    if now.at >= known.at and not holds(incident, post(role, person_id), person_id):
        return ()
    return (f.RoleReleased(released_at=now.at, role=role, person_id=person_id),)


def open_war_room(incident: Incident, now: Moment, /) -> tuple[f.Fact, ...]:
    """Record that those who work on it were called together."""
    if says(incident.war_room, now, True):
        return ()
    unresolved(incident, now, "war room")
    return (f.WarRoomOpened(opened_at=now.at),)


def close_war_room(incident: Incident, now: Moment, /) -> tuple[f.Fact, ...]:
    """Record that those who worked on it together parted."""
    if incident.war_room is None:
        raise Refused("incident.no_war_room", "This incident has had no war room; record its opening first.")
    if says(incident.war_room, now, False):
        return ()
    return (f.WarRoomClosed(closed_at=now.at),)


def publish_status(
    incident: Incident, now: Moment, /, *, audience: f.Audience, phase: f.Phase, message: str | None = None
) -> tuple[f.Fact, ...]:
    """Record that an audience was told how it stands, also after the end."""
    if incident.published == (now.at, audience, phase):
        return ()
    return (f.StatusPublished(published_at=now.at, audience=audience, phase=phase, subject_id=now.stream, message=message),)


def affect_service(incident: Incident, now: Moment, /, *, service_id: str) -> tuple[f.Fact, ...]:
    """Record that a service was drawn in."""
    if says(incident.services.get(service_id), now, True):
        return ()
    unresolved(incident, now, "affected service")
    return (f.ServiceAffected(affected_at=now.at, service_id=service_id),)


def restore_service(incident: Incident, now: Moment, /, *, service_id: str) -> tuple[f.Fact, ...]:
    """Record that a service worked again."""
    known = incident.services.get(service_id)
    if known is None:
        raise Refused("incident.service_unaffected", f"{service_id} is not known to be affected by this incident; record that first.")
    if says(known, now, False):
        return ()
    return (f.ServiceRestored(restored_at=now.at, service_id=service_id),)


def _has_come(now: Moment, at: datetime | None, what: str) -> None:
    if at is not None and at > now.at:
        raise Refused("incident.future", f"The {what} at {at.isoformat()} has not come yet; say when it was.")
