"""Probes: what one location saw of one service. Changes of state and coverage, never each beat.

    state changed ──> state changed ──> ...      one stream per service, location and UTC month, `probe:api@eu/2026-03`
        └─ covered: it reported without a gap, from when until when

What a location says holds until it says something else, or until its monitor has been silent for too long. Facts enter at a high
rate by `ledger.by(...).observe`; the decisions are for those who record few, and for corrections.
Source: Operating Model, "Platform Availability SLAs": external monitoring from multiple locations.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, assert_never

from opsledger.domain.concept import Moment, another, concept, starts
from opsledger.domain.fact import At, Personal, Subject, fact
from opsledger.errors import Refused

__all__ = ["Covered", "Probe", "State", "StateChanged", "StateCorrected", "correct_state", "cover", "evolve", "report", "stream_of"]

State = Literal["up", "degraded", "down", "unknown"]


@fact("probe.state_changed", at="changed_at")
class StateChanged:
    """A location saw a service go into a state."""

    changed_at: At
    service_id: str
    location: str
    state: State  # unknown: it could not tell
    error: str | None = None  # a code such as timeout, dns or http_503; null: none was given


@fact("probe.covered", at="covered_until")
class Covered:
    """A location reported on a service without a gap, up to `covered_until`, in states as its changes say."""

    covered_until: At
    covered_from: At
    service_id: str
    location: str
    state: State | None = None  # at `covered_from`; null: as its changes say


@fact("probe.state_corrected", at="corrected_at", corrects=lambda _: None)  # a correction, though of no time
class StateCorrected:
    """A location saw another state than an earlier fact of it says."""

    corrected_at: At
    corrects: int  # position of that fact
    was: State
    now: State
    requested_by: str
    approved_by: str
    subject_id: Subject
    reason: Personal[str]


Fact = StateChanged | Covered | StateCorrected


@dataclass(frozen=True, slots=True)
class Probe:
    """What the newest change says, and since when."""

    at: datetime | None = None
    state: State | None = None


@concept("probe", observed=True)
def evolve(probe: Probe | None, event: Fact) -> Probe:
    """Return the probe after `event`. A change of earlier that comes late changes nothing that a later one says."""
    known = probe or Probe()
    match event:
        case StateChanged():
            return known if known.at is not None and event.changed_at < known.at else Probe(event.changed_at, event.state)
        case Covered():
            return known
        case StateCorrected():
            return Probe()  # the next report is recorded, whatever it says
        case _:
            assert_never(event)


def stream_of(service_id: str, location: str, at: datetime) -> str:
    """Return the stream of what a location saw at an instant in UTC, for example probe:api@eu/2026-03."""
    return f"probe:{service_id}@{location}/{at.year:04d}-{at.month:02d}"


@starts
def report(
    probe: Probe | None, now: Moment, /, *, service_id: str, location: str, state: State, error: str | None = None
) -> tuple[Fact, ...]:
    """Record the state that a location sees. Adds nothing where it is the one known since the newest change."""
    _own(now, service_id, location)
    if probe is not None and probe.at is not None and probe.state == state and now.at >= probe.at:
        return ()
    return (StateChanged(changed_at=now.at, service_id=service_id, location=location, state=state, error=error),)


@starts
def cover(
    probe: Probe | None, now: Moment, /, *, service_id: str, location: str, covered_from: datetime, state: State | None = None
) -> tuple[Fact, ...]:
    """Record that a location has reported without a gap since `covered_from`."""
    _own(now, service_id, location)
    if covered_from >= now.at:
        raise Refused("probe.empty", f"From {covered_from.isoformat()} to {now.at.isoformat()} there is no time; give an earlier start.")
    return (Covered(covered_until=now.at, covered_from=covered_from, service_id=service_id, location=location, state=state),)


def correct_state(
    probe: Probe, now: Moment, /, *, corrects: int, was: State, to: State, reason: str, requested_by: str, approved_by: str
) -> tuple[Fact, ...]:
    """Record that the change at position `corrects` was to another state, a false alarm for example. Another person approves."""
    another(approved_by, requested_by, "this correction")
    recorded = now.recorded(corrects)
    if not isinstance(recorded.fact, StateChanged):
        raise Refused("correction.not_a_state", f"Position {corrects} says no state; name the change that was wrong.")
    said = [each.fact.now for each in now.history if isinstance(each.fact, StateCorrected) and each.fact.corrects == corrects]
    held = said[-1] if said else recorded.fact.state
    if held != was:
        raise Refused("correction.was", f"Position {corrects} is known to say {held}, not {was}; look at it again with its history.")
    if to == held:
        return ()
    corrected = StateCorrected(
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


def _own(now: Moment, service_id: str, location: str) -> None:
    if now.stream != stream_of(service_id, location, now.at):
        expected = stream_of(service_id, location, now.at).partition(":")[2]
        raise Refused("probe.stream", f"What {location} saw of {service_id} then belongs to the id {expected}, not {now.id}.")
