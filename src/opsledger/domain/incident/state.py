"""What the decisions on an incident need to know.

Facts are evolved in the order in which they were recorded. Each value carries since when it holds, so that a fact which
happened earlier and is typed in late changes nothing that a later one has said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final, Generic, Literal, NamedTuple, TypeVar, assert_never

from opsledger.domain.concept import Moment, concept
from opsledger.domain.incident import facts as f
from opsledger.errors import Refused

T = TypeVar("T")
Status = Literal["open", "resolved", "closed"]
Post = tuple[f.Role, str | None]
"""A role, and of responders, of whom there may be many, the person."""


class Since(NamedTuple, Generic[T]):
    """A value, and since when it holds."""

    at: datetime
    value: T


class Item(NamedTuple):
    """An action item as it was opened."""

    opened_at: datetime
    owner_id: str | None
    due_at: datetime | None


EVER: Final = datetime.min.replace(tzinfo=UTC)  # nothing happens before it: an incident may be declared after it was resolved
_OPEN: Final[Since[Status]] = Since(EVER, "open")
_STATUS_MILESTONES: Final[dict[Status, str]] = {"open": "reopened", "resolved": "resolved", "closed": "closed"}


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident as its decisions see it."""

    severity: Since[f.Severity]
    detected_at: datetime
    impact_started_at: datetime | None
    status: Since[Status] = _OPEN
    acknowledged: frozenset[datetime] = frozenset()
    unacknowledged: frozenset[datetime] = frozenset()
    triaged_at: datetime | None = None
    war_room: Since[bool] | None = None
    published: tuple[datetime, f.Audience, f.Phase] | None = None
    root_cause_at: datetime | None = None
    mitigated_at: datetime | None = None
    fix_validated_at: datetime | None = None
    rollout_pct: Since[int] | None = None
    review_held_at: datetime | None = None
    roles: Mapping[Post, Since[str | None]] = field(default_factory=dict)  # who holds each; None: nobody any more
    services: Mapping[str, Since[bool]] = field(default_factory=dict)  # whether each is affected
    items: Mapping[str, Item] = field(default_factory=dict)
    ends: Mapping[str, Since[Literal["completed", "dropped"]]] = field(default_factory=dict)  # of action items


def says(known: Since[T] | None, now: Moment, value: T) -> bool:
    """Return whether it is known already that `value` holds at `now.at`."""
    return known is not None and known.value == value and now.at >= known.at


def post(role: f.Role, person_id: str) -> Post:
    """Return the post that a person fills with a role."""
    return role, person_id if role == "responder" else None


def holds(incident: Incident, post: Post, person_id: str) -> bool:
    """Return whether a person fills a post, as far as is known."""
    known = incident.roles.get(post)
    return known is not None and known.value == person_id


def unresolved(incident: Incident, now: Moment, what: str) -> None:
    """Refuse what a resolved incident does not take; what happened before its resolution and comes late is let through."""
    if incident.status.value != "open" and now.at >= incident.status.at:
        value = incident.status.value
        raise Refused(f"incident.{value}", f"A {value} incident takes no {what}; reopen it first.")


def unclosed(incident: Incident, now: Moment, what: str) -> None:
    """Refuse what a closed incident does not take; what happened before its closure and comes late is let through."""
    if incident.status.value == "closed":
        unresolved(incident, now, what)


def after_resolution(incident: Incident, now: Moment, what: str) -> None:
    """Refuse what belongs after the resolution while there is none; of an earlier resolution it is let through."""
    if incident.status.value == "open" and now.at >= incident.status.at:
        raise Refused("incident.unresolved", f"An incident that is not resolved takes no {what}; resolve it first.")


@concept("incident")
def evolve(incident: Incident | None, event: f.Fact) -> Incident:
    """Return the incident after `event`, for every history ever recorded."""
    if incident is None:
        if not isinstance(event, f.Declared):
            raise Refused("incident.undeclared", f"An incident begins with its declaration, not with {type(event).__name__}.")
        return _declared(event)
    match event:
        case f.Declared():
            return incident
        case f.ImpactStartStated():
            return replace(incident, impact_started_at=event.impact_started_at)
        case f.Acknowledged():
            return replace(incident, acknowledged=incident.acknowledged | {event.acknowledged_at})
        case f.Unacknowledged():
            return replace(incident, unacknowledged=incident.unacknowledged | {event.unacknowledged_at})
        case f.Triaged():
            return replace(incident, triaged_at=event.triaged_at)
        case f.SeverityChanged():
            return replace(incident, severity=_newer(incident.severity, event.changed_at, event.severity))
        case f.RoleAssigned():
            return _filled(incident, post(event.role, event.person_id), event.assigned_at, event.person_id)
        case f.RoleReleased():
            return _released(incident, event)
        case f.WarRoomOpened():
            return replace(incident, war_room=_newer(incident.war_room, event.opened_at, True))
        case f.WarRoomClosed():
            return replace(incident, war_room=_newer(incident.war_room, event.closed_at, False))
        case f.StatusPublished():
            return replace(incident, published=(event.published_at, event.audience, event.phase))
        case f.ServiceAffected():
            return _service(incident, event.service_id, event.affected_at, affected=True)
        case f.ServiceRestored():
            return _service(incident, event.service_id, event.restored_at, affected=False)
        case f.RootCauseIdentified():
            return replace(incident, root_cause_at=event.identified_at)
        case f.Mitigated():
            return replace(incident, mitigated_at=event.mitigated_at)
        case f.FixValidated():
            return replace(incident, fix_validated_at=event.validated_at)
        case f.RolloutAdvanced():
            return replace(incident, rollout_pct=_newer(incident.rollout_pct, event.advanced_at, event.rollout_pct))
        case f.Resolved():
            return _status(incident, event.resolved_at, "resolved")
        case f.Reopened():
            return _status(incident, event.reopened_at, "open")
        case f.Closed():
            return _status(incident, event.closed_at, "closed")
        case f.ReviewHeld():
            return replace(incident, review_held_at=event.held_at)
        case f.ActionItemOpened():
            item = Item(event.opened_at, event.owner_id, event.due_at)
            return replace(incident, items={**incident.items, event.item_id: item})
        case f.ActionItemCompleted():
            return _ended(incident, event.item_id, event.completed_at, "completed")
        case f.ActionItemDropped():
            return _ended(incident, event.item_id, event.dropped_at, "dropped")
        case f.MilestoneCorrected():
            return _corrected(incident, event)
        case _:
            assert_never(event)


def _declared(event: f.Declared) -> Incident:
    return Incident(
        severity=Since(event.declared_at, event.severity),
        detected_at=event.detected_at,
        impact_started_at=event.impact_started_at,
        services={service: Since(EVER, True) for service in event.services},
    )


def _corrected(incident: Incident, event: f.MilestoneCorrected) -> Incident:
    if event.milestone == "detected":
        return replace(incident, detected_at=event.now)
    if event.milestone == "impact_started":
        return replace(incident, impact_started_at=event.now)
    status = incident.status
    if event.milestone == _STATUS_MILESTONES[status.value] and event.was == status.at:
        return replace(incident, status=Since(event.now, status.value))
    return incident


def _newer(known: Since[T] | None, at: datetime, value: T) -> Since[T]:
    return known if known is not None and at < known.at else Since(at, value)


def _status(incident: Incident, at: datetime, value: Status) -> Incident:
    return replace(incident, status=_newer(incident.status, at, value))


def _filled(incident: Incident, post: Post, at: datetime, person_id: str | None) -> Incident:
    return replace(incident, roles={**incident.roles, post: _newer(incident.roles.get(post), at, person_id)})


def _released(incident: Incident, event: f.RoleReleased) -> Incident:
    held = post(event.role, event.person_id)
    return _filled(incident, held, event.released_at, None) if holds(incident, held, event.person_id) else incident


def _service(incident: Incident, service_id: str, at: datetime, *, affected: bool) -> Incident:
    return replace(incident, services={**incident.services, service_id: _newer(incident.services.get(service_id), at, affected)})


def _ended(incident: Incident, item_id: str, at: datetime, end: Literal["completed", "dropped"]) -> Incident:
    return replace(incident, ends={**incident.ends, item_id: _newer(incident.ends.get(item_id), at, end)})
