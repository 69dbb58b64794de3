"""What each stream tells of a service's availability: folded alone, kept small, joined by `availability_months`.

    service, slo, monitor, probe, incident, maintenance, outage; and of the ledger, up to when days are closed

A service may have a million changes of state: a probe's are kept as arrays. Times are integer microseconds.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final

from opsledger.domain import incident as i
from opsledger.domain import ledger, monitor, outage, probe, service, slo
from opsledger.domain.recorded import Recorded
from opsledger.policies.instants import micros
from opsledger.policies.quorum import Word
from opsledger.policies.timeline import State
from opsledger.policies.voices import Coverage
from opsledger.projections.incidents import incidents
from opsledger.projections.maintenance import windows as maintenance

__all__ = [
    "CONCEPTS",
    "EVERYWHERE",
    "Monitors",
    "Objectives",
    "Outages",
    "Probes",
    "Services",
    "Source",
    "Through",
    "fold",
    "start",
    "subjects",
]

CONCEPTS: Final = ("service", "slo", "monitor", "probe", "incident", "maintenance", "outage")
EVERYWHERE: Final = ("ledger",)

_STATES: Final[tuple[State, ...]] = ("up", "unknown", "degraded", "down")


@dataclass(slots=True)
class Services:
    """A service: when it was retired; None: it was not."""

    service_id: str
    retired_at: int | None = None


@dataclass(slots=True)
class Objectives:
    """The versions of one objective, each with its position, and its withdrawals as (when, position)."""

    versions: list[tuple[int, slo.Published]] = field(default_factory=list)
    withdrawals: list[tuple[int, int]] = field(default_factory=list)


@dataclass(slots=True)
class Monitors:
    """How one monitor watches, from when on, with the position that says so; None: it is retired."""

    told: list[tuple[int, int, monitor.Registered | monitor.Reconfigured | None]] = field(default_factory=list)


@dataclass(slots=True)
class Probes:
    """What one location saw of one service in a month: changes in the order in which they came, coverage, corrections."""

    service_id: str = ""
    location: str = ""
    times: array[int] = field(default_factory=lambda: array("q"))
    states: bytearray = field(default_factory=bytearray)
    positions: array[int] = field(default_factory=lambda: array("q"))
    covered: list[Coverage] = field(default_factory=list)
    corrected: dict[int, tuple[int, State]] = field(default_factory=dict)  # by position: that of the correction, and the right state
    in_order: bool = True

    def words(self, stream: str) -> Iterator[Word]:
        """Yield the changes in the order of time, corrected."""
        places = range(len(self.times)) if self.in_order else sorted(range(len(self.times)), key=self._place)
        for place in places:
            position, state = self.positions[place], _STATES[self.states[place]]
            if self.corrected:
                position, state = self.corrected.get(position, (position, state))
            yield Word(self.times[place], position, state, stream)

    def span(self) -> tuple[int, int]:
        """Return the first and the last instant of which it says something."""
        edges = [*(each.start for each in self.covered), *(each.stop for each in self.covered)]
        return min([*edges, min(self.times, default=1 << 62)]), max([*edges, max(self.times, default=-1)])

    def _place(self, place: int) -> tuple[int, int]:
        return self.times[place], self.positions[place]


@dataclass(slots=True)
class Outages:
    """What was reclassified of a service, each with its position."""

    told: list[tuple[int, outage.Reclassified]] = field(default_factory=list)


@dataclass(slots=True)
class Through:
    """Up to when UTC days are closed."""

    closed: int = 0


@dataclass(slots=True)
class Source:
    """One stream as told, with when its newest fact happened and where it stands; of the ledger, up to when days are closed."""

    stream: str
    told: Any
    newest: int = 0
    last_position: int = 0


_INCIDENT: Final = (
    i.Declared,
    i.ImpactStartStated,
    i.SeverityChanged,
    i.ServiceAffected,
    i.ServiceRestored,
    i.Resolved,
    i.Reopened,
    i.MilestoneCorrected,
)
"""What is kept of incidents: what else happens in one says nothing of what is down."""


def start(stream: str) -> Source:
    """Return the state of a stream before its first fact."""
    concept, _, id = stream.partition(":")
    made: dict[str, Any] = {
        "service": lambda: Services(id),
        "slo": Objectives,
        "monitor": Monitors,
        "probe": Probes,
        "incident": lambda: incidents.start(id),
        "maintenance": lambda: maintenance.start(stream),
        "outage": Outages,
        "ledger": Through,
    }
    return Source(stream, made[concept]())


def fold(source: Source, recorded: Recorded) -> Source:
    """Return the state of a stream after one fact more."""
    event, told = recorded.fact, source.told
    if isinstance(told, Through):
        if isinstance(event, ledger.DayClosed):
            source.newest = micros(datetime.combine(event.day, time(), UTC) + timedelta(days=1))
            source.last_position = recorded.position
        return source
    if isinstance(event, monitor.Heard):
        return source  # that a tool lives says nothing of a service
    source.newest = max(source.newest, recorded.occurred_at)
    source.last_position = max(source.last_position, recorded.position)
    match told:
        case Probes():
            _see(told, recorded)
        case Services():
            if isinstance(event, service.Retired):
                told.retired_at = recorded.occurred_at
        case Objectives():
            if isinstance(event, slo.Published):
                told.versions.append((recorded.position, event))
            else:
                told.withdrawals.append((micros(event.withdrawn_at), recorded.position))
        case Monitors():
            told.told.append((recorded.occurred_at, recorded.position, None if isinstance(event, monitor.Retired) else event))
        case Outages():
            told.told.append((recorded.position, event))
        case maintenance.Told():
            source.told = maintenance.fold(told, recorded)
        case incidents.IncidentState() if isinstance(event, _INCIDENT):
            source.told = incidents.fold(told, recorded)
        case _:
            pass  # an incident's words, roles and lessons
    return source


def subjects(source: Source) -> Collection[str]:
    """Return the ids of the services that a stream speaks of."""
    match source.told:
        case Services() as told:
            return (told.service_id,)
        case Objectives() as told:
            return {version.service_id for _, version in told.versions}
        case Monitors() as told:
            return {each for _, _, said in told.told if said is not None for each in said.services}
        case Probes() as told:
            return (told.service_id,)
        case Outages() as told:
            return {said.service_id for _, said in told.told}
        case maintenance.Told() as told:
            return maintenance.subjects(told)
        case incidents.IncidentState() as told:
            return {each for recorded in told.told for each in _services(recorded.fact)}
        case _:
            return ()


def _see(told: Probes, recorded: Recorded) -> None:
    """Take in what a location said. Times are those of the fact: what happened before the stream's first fact counts, too."""
    event: probe.Fact = recorded.fact
    match event:
        case probe.StateChanged():
            at = micros(event.changed_at)
            told.service_id, told.location = event.service_id, event.location
            told.in_order = told.in_order and (not told.times or (at, recorded.position) > (told.times[-1], told.positions[-1]))
            told.times.append(at)
            told.states.append(_STATES.index(event.state))
            told.positions.append(recorded.position)
        case probe.Covered():
            told.service_id, told.location = event.service_id, event.location
            span = micros(event.covered_from), micros(event.covered_until)
            told.covered.append(Coverage(*span, recorded.position, event.state, recorded.stream))
        case probe.StateCorrected():
            known = told.corrected.get(event.corrects)
            if known is None or known[0] < recorded.position:
                told.corrected[event.corrects] = (recorded.position, event.now)


def _services(event: Any) -> tuple[str, ...]:
    if isinstance(event, i.Declared):
        return event.services
    return (event.service_id,) if isinstance(event, i.ServiceAffected | i.ServiceRestored) else ()
