"""An entry of a status page -> facts: of an incident, or of a maintenance window where its impact is "maintenance".

A fact holds only what was known when it happened. The page sums the downtime up when all is over, so the start of the impact
is stated at the resolution.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from opsledger.domain import incident as i
from opsledger.domain import maintenance as m
from opsledger.importers.files import Unreadable
from opsledger.importers.statuspage_entries import Entry, Impact
from opsledger.policies.instants import moment
from opsledger.policies.intervals import Interval
from opsledger.policies.known import PublishedModel
from opsledger.policies.maintenance import slot_on
from opsledger.policies.zones import VERSION

__all__ = ["CHANNEL", "Terms", "facts_of", "is_over", "service_id", "stream_of"]

CHANNEL: Final = "status_page"

_SEVERITIES: Final[Mapping[Impact, i.Severity]] = {"critical": "critical", "major": "high", "minor": "medium", "none": "low"}
_PHASES: Final[Mapping[str, i.Phase]] = {
    "investigating": "investigating",
    "identified": "identified",
    "monitoring": "monitoring",
    "resolved": "resolved",
    "postmortem": "resolved",
}
_AT_WORK: Final = ("investigating", "identified", "monitoring")
_UNKNOWN: Final = "unknown"  # where a fact needs a word and the page has none


@dataclass(frozen=True, slots=True)
class Terms:
    """What the page does not say, and whoever imports it does."""

    services: Mapping[str, str] = field(default_factory=dict)  # ids of services by component; others as `service_id` says
    otherwise: str | None = None  # id of the service that an entry without components is about; None: of none
    detection_source: i.DetectionSource = "third_party"
    notifies: str | None = None  # audience that a scheduled maintenance on the page reaches; None: nobody knows whom

    def services_of(self, entry: Entry) -> tuple[str, ...]:
        """Return the ids of the services that an entry is about."""
        named = dict.fromkeys(self.services.get(each) or service_id(each) for each in entry.components)
        return tuple(named) or (() if self.otherwise is None else (self.otherwise,))


def service_id(component: str) -> str:
    """Return the id of a service by the name of its component: `git-operations` of `Git Operations`."""
    return "-".join("".join(each if each.isalnum() else " " for each in component.lower()).split()) or component


def is_over(entry: Entry) -> bool:
    """Return whether an entry has come to its end, so that nothing that it says is still to change."""
    if entry.impact == "maintenance":
        return entry.last_at("completed") is not None
    told = [update.status for update in entry.updates if update.status in (*_AT_WORK, "resolved")]
    return told[-1:] == ["resolved"]


def stream_of(entry: Entry) -> str:
    """Return the stream of an entry's facts."""
    return f"{'maintenance' if entry.impact == 'maintenance' else 'incident'}:{entry.id}"


def facts_of(entry: Entry, terms: Terms, policy: PublishedModel) -> tuple[i.Fact, ...] | tuple[m.Fact, ...]:
    """Return the facts that an entry which is over says, in the order in which they are recorded.

    `policy` is the operating model that was in force at its first update: a maintenance is judged by it. Raises Unreadable with
    the field that a fact needs and the entry lacks: a maintenance has services, and a start before its end.
    """
    return tuple(_maintenance(entry, terms, policy)) if entry.impact == "maintenance" else tuple(_incident(entry, terms))


def _incident(entry: Entry, terms: Terms) -> Iterator[i.Fact]:
    stream, services, first = stream_of(entry), terms.services_of(entry), entry.updates[0]
    resolved_at = entry.last_at("resolved")
    assert resolved_at is not None  # it is over
    yield i.Declared(
        declared_at=moment(first.at),
        detection_source=terms.detection_source,
        severity=_SEVERITIES[entry.impact],
        detected_at=moment(first.at),
        services=services,
        subject_id=stream,
        title=entry.title,
    )
    phase: i.Phase = "investigating"
    resolved = False
    last = max(place for place, update in enumerate(entry.updates) if update.status == "resolved")
    for place, update in enumerate(entry.updates):
        when = moment(update.at)
        if resolved and update.status in _AT_WORK:
            resolved = False
            yield i.Reopened(reopened_at=when, subject_id=stream)
        phase = _PHASES.get(update.status, phase)
        yield i.StatusPublished(published_at=when, audience="public", phase=phase, subject_id=stream)
        if place == last:
            yield from _summed_up(entry, services, resolved_at)
        if update.status == "resolved" and not resolved:
            resolved = True
            yield i.Resolved(resolved_at=when, subject_id=stream)


def _summed_up(entry: Entry, services: tuple[str, ...], resolved_at: int) -> Iterator[i.Fact]:
    """Yield when the impact began and each service worked again, no later than the resolution."""
    downtime = _until(entry.downtime, resolved_at)
    if downtime is not None:
        yield i.ImpactStartStated(stated_at=moment(resolved_at), impact_started_at=moment(downtime[0]))
    for each in services:
        yield i.ServiceRestored(restored_at=moment(resolved_at if downtime is None else downtime[1]), service_id=each)


def _until(downtime: Interval | None, end: int) -> Interval | None:
    return None if downtime is None or downtime[0] > end else (downtime[0], min(downtime[1], end))


def _maintenance(entry: Entry, terms: Terms, policy: PublishedModel) -> Iterator[m.Fact]:
    stream, services = stream_of(entry), terms.services_of(entry)
    if not services:
        raise Unreadable("components")
    began, ended = next((each.at for each in entry.updates if each.status == "in progress"), None), entry.last_at("completed")
    assert ended is not None  # it is over
    if entry.planned is None and began is None:
        raise Unreadable("updates")
    start, end = entry.planned or (began or ended, ended)
    if end <= start:
        raise Unreadable("updates" if entry.planned is None else "scheduled_until")
    scheduled_at, rules = moment(entry.updates[0].at), policy.model.maintenance
    slot = slot_on(rules, start)
    yield m.Scheduled(
        scheduled_at=scheduled_at,
        kind="planned",
        services=services,
        start_at=moment(start),
        end_at=moment(end),
        slot=m.Slot(day=slot.day, begins_at=moment(slot.low), ends_at=moment(slot.high), zone=rules.zone, tzdata=VERSION),
        policy=policy.ref,
        requested_by=_UNKNOWN,
        subject_id=stream,
        title=entry.title,
    )
    if terms.notifies is not None:
        yield m.Notified(sent_at=scheduled_at, audience=terms.notifies, channel=CHANNEL, start_at=moment(start), end_at=moment(end))
    if began is not None:
        yield m.Started(started_at=moment(began))
    for update in entry.updates:
        yield m.StatusPublished(published_at=moment(update.at), audience="public", subject_id=stream)
    yield m.Completed(completed_at=moment(ended))
