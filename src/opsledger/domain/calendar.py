"""Business calendars: published, corrected for the past, extended into the future. One stream each, `calendar:business`.

    published ──> published ──> ...        effective-dated; corrected and extended name the version that they change

A fact carries the hours as written, the tz database's version, and the instants and offsets compiled from them, so that
replay asks no tz database. Hours for the future are published; a past day that was recorded wrongly is corrected.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import assert_never

from opsledger.domain.concept import SYSTEM, Moment, another, concept, starts
from opsledger.domain.fact import At, fact, part
from opsledger.errors import Refused, Unknown
from opsledger.policies import documents
from opsledger.policies.calendar import CalendarDefinition, Compiled, compile_calendar
from opsledger.policies.instants import SECOND, micros, moment
from opsledger.policies.known import CalendarVersion, extended
from opsledger.policies.zones import VERSION, LocalTime

__all__ = [
    "Calendar",
    "Corrected",
    "Extended",
    "Hours",
    "Published",
    "correct",
    "evolve",
    "extend",
    "publish",
    "version_after",
]


@part
class Hours:
    """Hours compiled for [begin, end), in UTC seconds since the epoch.

    `edges` are the opening and closing instants in turn, each as seconds since the one before, the first since `begin`.
    `offset_starts` and `offsets` are the zone's offsets from UTC in seconds and when each begins.
    """

    begin: int
    end: int
    edges: tuple[int, ...]
    offset_starts: tuple[int, ...]
    offsets: tuple[int, ...]
    tz_version: str

    def compiled(self) -> Compiled:
        """Return the hours as business time counts on them."""
        edges, instant = [], self.begin
        for step in self.edges:
            instant += step
            edges.append(instant)
        return Compiled(self.begin, self.end, tuple(edges), LocalTime(self.offset_starts, self.offsets))


@fact("calendar.published", at="published_at")
class Published:
    """These hours hold from `effective_from` on."""

    published_at: At
    effective_from: At
    definition: str  # canonical JSON of the hours as written
    digest: str  # SHA-256 of it
    hours: Hours
    proposed_by: str
    approved_by: str
    reason: str


@fact("calendar.corrected", at="corrected_at")
class Corrected:
    """The hours of an earlier version were recorded wrongly: these were the right ones, over the same time."""

    corrected_at: At
    corrects: int  # position of the version
    definition: str
    digest: str
    hours: Hours
    reason: str
    requested_by: str
    approved_by: str


@fact("calendar.extended", at="extended_at")
class Extended:
    """The same hours, compiled further into the future."""

    extended_at: At
    extends: int  # position of the version
    hours: Hours


Fact = Published | Corrected | Extended


@dataclass(frozen=True, slots=True)
class Calendar:
    """How many versions were published; what they say is known to `now.policies`."""

    versions: int


@concept("calendar")
def evolve(calendar: Calendar | None, event: Fact) -> Calendar:
    """Return the calendar after `event`."""
    known = calendar or Calendar(0)
    match event:
        case Published():
            return Calendar(known.versions + 1)
        case Corrected() | Extended():
            return known
        case _:
            assert_never(event)


@starts
def publish(
    calendar: Calendar | None,
    now: Moment,
    /,
    *,
    definition: str,
    proposed_by: str,
    approved_by: str,
    effective_from: datetime | None = None,
    reason: str = "",
    horizon_years: int | None = None,
) -> tuple[Fact, ...]:
    """Record hours, written in YAML or JSON, that hold from `effective_from` (default: the next whole second) on.

    Refuses an approver who is the proposer, hours that never open, and a time in the past without a reason. Hours are
    compiled to the end of the year that lies `horizon_years` ahead (default: as the model in force says).
    """
    if not (calendar is None and proposed_by == approved_by == SYSTEM):
        another(approved_by, proposed_by, "this calendar")
    effective = moment(-(-micros(effective_from or now.at) // SECOND) * SECOND)
    if effective < now.at and not reason:
        raise Refused(
            "calendar.retroactive", f"The hours would hold from {effective.isoformat()}, before now; say why, or correct a version."
        )
    known = documents.read(CalendarDefinition, definition)
    text = documents.canonical(known)
    versions = now.policies.known.versions(now.id)
    in_force = [version for version in versions if version.effective_from <= micros(effective)]
    if in_force and in_force[-1].definition == text:
        return ()
    end = _horizon(now, max(now.at, effective), horizon_years)
    if versions and effective > _moment(versions[-1].compiled.end):
        raise Refused(
            "calendar.gap", f"The hours known so far end at {_moment(versions[-1].compiled.end).isoformat()}; start there or before."
        )
    published = Published(
        published_at=now.at,
        effective_from=effective,
        definition=text,
        digest=documents.digest(text),
        hours=_hours(known, _seconds(effective), max([end, *(version.compiled.end for version in versions)])),
        proposed_by=proposed_by,
        approved_by=approved_by,
        reason=reason,
    )
    return (published,)


def correct(
    calendar: Calendar, now: Moment, /, *, corrects: int, definition: str, reason: str, requested_by: str, approved_by: str
) -> tuple[Fact, ...]:
    """Record the hours that the version published at position `corrects` should have had. Verdicts follow; the first ones stay known."""
    another(approved_by, requested_by, "this correction")
    if not reason:
        raise Refused("calendar.no_reason", "A correction of hours that have passed needs a reason.")
    version = _version(now, corrects)
    text = documents.canonical(documents.read(CalendarDefinition, definition))
    if text == version.definition:
        return ()
    hours = _hours(documents.restored(CalendarDefinition, text), version.compiled.begin, version.compiled.end)
    corrected = Corrected(
        corrected_at=now.at,
        corrects=corrects,
        definition=text,
        digest=documents.digest(text),
        hours=hours,
        reason=reason,
        requested_by=requested_by,
        approved_by=approved_by,
    )
    return (corrected,)


def extend(calendar: Calendar, now: Moment, /, *, horizon_years: int | None = None) -> tuple[Fact, ...]:
    """Record the hours of the newest version up to the end of the year that lies `horizon_years` ahead."""
    version = now.policies.known.versions(now.id)[-1]
    end = _horizon(now, now.at, horizon_years)
    if end <= version.compiled.end:
        return ()
    hours = _hours(documents.restored(CalendarDefinition, version.definition), version.compiled.end, end)
    return (Extended(extended_at=now.at, extends=version.position, hours=hours),)


def version_after(position: int, event: Fact, versions: tuple[CalendarVersion, ...]) -> CalendarVersion:
    """Return the version that a fact at `position` makes or changes, given those known before."""
    if isinstance(event, Published):
        return CalendarVersion(position, micros(event.effective_from), event.hours.compiled(), event.definition)
    named = event.corrects if isinstance(event, Corrected) else event.extends
    changed = next((version for version in versions if version.position == named), None)
    if changed is None:
        raise Unknown(
            "calendar.no_version", f"Position {position} changes a version of a calendar at position {named}, where there is none."
        )
    if isinstance(event, Corrected):
        return changed._replace(compiled=event.hours.compiled(), definition=event.definition)
    return changed._replace(compiled=extended(changed.compiled, event.hours.compiled()))


def _version(now: Moment, position: int) -> CalendarVersion:
    versions = now.policies.known.versions(now.id)
    for version in versions:
        if version.position == position:
            return version
    known = ", ".join(str(version.position) for version in versions)
    raise Refused("calendar.no_version", f"Position {position} published no version of {now.id}; versions stand at {known}.")


def _hours(definition: CalendarDefinition, begin: int, end: int) -> Hours:
    compiled = compile_calendar(definition, begin, end)
    steps = tuple(edge - before for before, edge in zip((begin, *compiled.edges), compiled.edges, strict=False))
    return Hours(begin=begin, end=end, edges=steps, offset_starts=compiled.local.starts, offsets=compiled.local.offsets, tz_version=VERSION)


def _horizon(now: Moment, start: datetime, years: int | None) -> int:
    if years is None:
        years = now.policies.in_force.model.calendars.horizon_years
    if not 1 <= years <= 100:
        raise Refused("calendar.years", f"Hours are compiled 1 to 100 years ahead, not {years}.")
    return _seconds(datetime(start.year + years + 1, 1, 1, tzinfo=UTC))


def _seconds(instant: datetime) -> int:
    return micros(instant) // SECOND


def _moment(seconds: int) -> datetime:
    return moment(seconds * SECOND)
