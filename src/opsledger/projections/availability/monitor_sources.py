"""What watches a service and when it was heard: monitors, their locations, and what counts its requests. No table of its own.

    service, slo, monitor, probe, measurement

Each stream is folded alone and kept small: of a million probes a day the first and the last matter.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, NamedTuple

from opsledger.domain import monitor, probe
from opsledger.domain.measurement import WindowRecorded
from opsledger.domain.recorded import Recorded
from opsledger.policies.instants import DAY_S, SECOND, micros
from opsledger.policies.intervals import Interval
from opsledger.policies.known import Known
from opsledger.policies.signs import Sign, alive, heard, last_sign
from opsledger.policies.voices import FOREVER
from opsledger.projections.availability import sources as availability
from opsledger.projections.availability.sources import Monitors, Source
from opsledger.projections.availability.watching import model_at

__all__ = ["CONCEPTS", "Seen", "State", "Watcher", "fold", "start", "subjects", "watchers_of"]

CONCEPTS: Final = ("service", "slo", "monitor", "probe", "measurement")

_By = tuple[str, str | None]  # what speaks: a location or a source; and of what: a service or a series


@dataclass(slots=True)
class Seen:
    """Signs of life in one stream: of a monitor by location, of probes by location and service, of measurements by source and series."""

    source: Source | None = None  # of a monitor, how it watches
    signs: dict[_By, list[Sign]] = field(default_factory=dict)
    services: tuple[str, ...] = ()


State = Source | Seen


class Watcher(NamedTuple):
    """Something that watches a service, in the times in which it is expected to. Microseconds."""

    name: str  # external@eu, siem, host-1
    monitor_id: str | None  # None: it is registered as no monitor
    location: str | None
    category: str | None
    series: frozenset[str]  # of which it counts the requests
    lives: tuple[Interval, ...]
    limit: int  # of its silence, as it is now
    signs: tuple[Sign, ...]
    position: int  # of the fact by which it watches
    last_position: int

    @property
    def there(self) -> list[Interval]:
        """When it was expected and had been heard recently enough."""
        return [span for low, high in self.lives for span in alive(low, high, self.limit, self.signs)]

    @property
    def heard(self) -> Sign | None:
        """Its last sign of life."""
        return last_sign(self.signs, FOREVER)

    @property
    def stale_from(self) -> int:
        """From when on it is stale, if nothing more is heard of it."""
        sign = self.heard
        return max(self.lives[-1][0], 0 if sign is None else sign.last) + self.limit


def start(stream: str) -> State:
    """Return the state of a stream before its first fact."""
    concept = stream.partition(":")[0]
    if concept in ("service", "slo"):
        return availability.start(stream)
    return Seen(availability.start(stream) if concept == "monitor" else None)


def fold(state: State, recorded: Recorded) -> State:
    """Return the state of a stream after one fact more."""
    if isinstance(state, Source):
        return availability.fold(state, recorded)
    at, position = recorded.occurred_at, recorded.position
    match event := recorded.fact:
        case monitor.Heard():
            _hear(state, (event.location or "", None), Sign(at, at, position))
        case probe.Covered():
            _hear(state, (event.location, event.service_id), Sign(min(micros(event.covered_from), at), at, position), event.service_id)
        case probe.StateChanged():
            _hear(state, (event.location, event.service_id), Sign(at, at, position), event.service_id)
        case WindowRecorded():
            _hear(state, (event.source, event.series_id), Sign(at, at, position), event.service_id)
        case _ if state.source is not None:
            state.source = availability.fold(state.source, recorded)
    return state


def subjects(state: State) -> Collection[str]:
    """Return the ids of the services that a stream speaks of."""
    if isinstance(state, Source):
        return availability.subjects(state)
    return state.services if state.source is None else availability.subjects(state.source)


def watchers_of(service_id: str, states: Mapping[str, State], known: Known) -> list[Watcher]:
    """Return what watches a service, in the order of names: each location of a monitor for itself."""
    probed: dict[str, list[Sign]] = {}
    counted: dict[str, dict[str, list[Sign]]] = {}
    for stream, state in states.items():
        if isinstance(state, Seen) and state.source is None:
            for (by, of), signs in state.signs.items():
                place = probed.setdefault(by, []) if stream.startswith("probe:") else counted.setdefault(by, {}).setdefault(of or "", [])
                for sign in signs:
                    heard(place, sign)
    found: list[Watcher] = []
    for stream, state in states.items():
        if isinstance(state, Seen) and state.source is not None:
            found += _monitors(service_id, stream.partition(":")[2], state, probed, counted, known)
    registered = {each.monitor_id for each in found}
    found += [_unregistered(name, by_series, known) for name, by_series in counted.items() if name not in registered]
    return sorted(found, key=lambda each: each.name)


def _hear(state: Seen, by: _By, sign: Sign, service_id: str | None = None) -> None:
    heard(state.signs.setdefault(by, []), sign)
    if service_id is not None and service_id not in state.services:
        state.services = tuple(sorted({*state.services, service_id}))


class _Told(NamedTuple):
    """A monitor names a location of the service, or none, in [since, until)."""

    since: int
    until: int
    position: int
    said: monitor.Registered | monitor.Reconfigured


def _monitors(
    service_id: str,
    id: str,
    state: Seen,
    probed: Mapping[str, list[Sign]],
    counted: Mapping[str, Mapping[str, list[Sign]]],
    known: Known,
) -> Iterator[Watcher]:
    """Yield what a monitor says that it watches the service from."""
    assert state.source is not None
    by_location: dict[str, list[_Told]] = {}
    for each in _configured(state.source.told):
        if service_id in each.said.services:
            for location in each.said.locations or ("",):
                by_location.setdefault(location, []).append(each)
    windows = counted.get(id, {})
    for location, told in by_location.items():
        newest = told[-1]
        signs = _together(
            [state.signs.get(("", None), []), state.signs.get((location, None), []), probed.get(location, []), *windows.values()]
        )
        yield Watcher(
            name=f"{id}@{location}" if location else id,
            monitor_id=id,
            location=location or None,
            category=newest.said.category,
            series=frozenset(windows),
            lives=tuple((each.since, each.until) for each in told),
            limit=_limit(newest, signs, known),
            signs=signs,
            position=newest.position,
            last_position=max([state.source.last_position, *(sign.position for sign in signs)]),
        )


def _configured(told: Monitors) -> Iterator[_Told]:
    ordered = sorted(told.told, key=lambda each: each[:2])
    for (at, position, said), (until, _, _) in pairwise([*ordered, (FOREVER, 0, None)]):
        if said is not None and at < until:
            yield _Told(at, until, position, said)


def _unregistered(name: str, by_series: Mapping[str, list[Sign]], known: Known) -> Watcher:
    """Return a source of measurements that nobody registered: it is expected from its first sign on."""
    signs = _together(by_series.values())
    limit = model_at(known, signs[-1].last).monitoring.stale_after * SECOND
    positions = [sign.position for sign in signs]
    return Watcher(name, None, None, None, frozenset(by_series), ((signs[0].first, FOREVER),), limit, signs, min(positions), max(positions))


def _together(several: Iterable[Iterable[Sign]]) -> tuple[Sign, ...]:
    found: list[Sign] = []
    for signs in several:
        for sign in signs:
            heard(found, sign)
    return tuple(found)


def _limit(told: _Told, signs: tuple[Sign, ...], known: Known) -> int:
    """Return how long a source may be silent: as its monitor says, if that is a day or more, else as the operating model does."""
    at = max([told.since, *(sign.last for sign in signs)])
    own = told.said.silent_after_s
    return max(DAY_S, model_at(known, at).monitoring.stale_after if own is None else own) * SECOND
