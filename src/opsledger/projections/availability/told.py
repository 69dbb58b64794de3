"""What probes, monitors, incidents, maintenance and reclassifications say together of one service's time.

    probes ── vote ──┐
                     ├── worst of both ── corrected ──> stretches
    incidents ───────┘                                  maintenance, reclassified ──> what is taken out

Which of the two sources speak, the objective says. Times are integer microseconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from opsledger.domain import incident as i
from opsledger.domain import slo
from opsledger.policies.instants import SECOND, micros
from opsledger.policies.intervals import Interval, union, without
from opsledger.policies.known import Known
from opsledger.policies.maintenance import Verdict, Window, judge
from opsledger.policies.quorum import Quorum, Voice, vote
from opsledger.policies.timeline import Planned, State, Stretch, corrected, laid
from opsledger.policies.voices import FOREVER, Watch, voice
from opsledger.projections.availability.sources import Monitors, Outages, Probes, Services, Source
from opsledger.projections.incidents import incidents
from opsledger.projections.incidents.details import Happening
from opsledger.projections.maintenance import windows as maintenance

__all__ = ["Rules", "planned", "spans", "spoken"]


class Rules(NamedTuple):
    """By which rules a service's time is told."""

    measured_by: slo.MeasuredBy
    quorum: Quorum
    incident_states: tuple[tuple[str, State], ...]  # the state of a service that an incident of each severity affects
    minimum: int  # outages shorter than this many microseconds are forgiven
    whole_minutes: bool  # of an outage its whole minutes count alone
    takes_out: bool  # whether maintenance by the rules is taken out


def spoken(service_id: str, sources: Sequence[Source], rules: Rules, begin: int, end: int) -> Iterator[Stretch]:
    """Yield [begin, end) of a service without gaps, as its sources say and as it was reclassified since."""
    votes = vote(rules.quorum, _voices(service_id, sources), begin, end)
    pieces = sorted(_affected(service_id, sources, dict(rules.incident_states)), key=lambda each: each.start)
    match rules.measured_by:
        case "probes":
            told = votes
        case "incidents":
            told = laid(begin, end, "up", [pieces])
        case "both":
            told = laid(begin, end, "up", [votes, pieces])
    reclassified = [
        Stretch(micros(said.start_at), micros(said.end_at), said.now, source.stream, position)
        for source in sources
        if isinstance(source.told, Outages)
        for position, said in source.told.told
        if said.now != "excluded"
    ]
    return corrected(told, reclassified, begin, end)


def planned(sources: Sequence[Source], known: Known, *, takes_out: bool) -> Iterator[Planned]:
    """Yield maintenance of a service, and what was reclassified, with whether it is taken out and why."""
    windows = maintenance.windows_of([source.told for source in sources if isinstance(source.told, maintenance.Told)], known)
    by_id = {window.window_id: window for window in windows}
    for verdict in judge(windows):
        for low, high in verdict.excluded:
            reason = "planned maintenance" if takes_out else "planned maintenance, which this objective does not take out"
            yield Planned(low, high, 1, takes_out, verdict.window_id, reason)
        for low, high in without(_counted(by_id[verdict.window_id]), list(verdict.excluded)):
            yield Planned(low, high, 0, False, verdict.window_id, _why(verdict))
    for source in sources:
        if isinstance(source.told, Outages):
            for position, said in source.told.told:
                reason = f"reclassified from {said.was} to {said.now}"
                yield Planned(micros(said.start_at), micros(said.end_at), 2 + position, said.now == "excluded", None, reason)


def spans(source: Source, service_id: str) -> Iterator[tuple[int, int, int]]:
    """Yield (start, stop, position): what time of a service a stream speaks of, and up to which fact it does."""
    match source.told:
        case Probes() as told:
            yield (*told.span(), source.last_position)
        case maintenance.Told() as told:
            yield (*told.planned, source.last_position)
            if told.started_at is not None:
                yield told.started_at, told.completed_at or told.planned[1], source.last_position
        case incidents.IncidentState():
            for each in _affected(service_id, [source], {}):
                yield each.start, each.stop, source.last_position
        case Outages() as told:
            for position, said in told.told:
                yield micros(said.start_at), micros(said.end_at), position
        case Monitors() | Services():
            yield 0, FOREVER, source.last_position
        case _:
            pass  # objectives and closed days count where they are used


def _why(verdict: Verdict) -> str:
    if verdict.failed:
        return f"maintenance that counts, by the rules on {', '.join(verdict.failed)}"
    return "maintenance that counts: outside the announced time, or above the month's cap"


def _counted(window: Window) -> list[Interval]:
    spans = [window.work] if window.work is not None else []
    if window.rules.excludes == "announced" and window.cancelled_at is None:
        spans.append(window.planned)
    return union(spans)


# Probes.


def _voices(service_id: str, sources: Sequence[Source]) -> list[Voice]:
    """Return what each location says, in the order of their names; one that a monitor names and that never spoke is silent."""
    probes: dict[str, list[Source]] = {}
    watches: dict[str, list[Watch]] = {}
    for source in sources:
        if isinstance(source.told, Probes):
            probes.setdefault(source.told.location, []).append(source)
        elif isinstance(source.told, Monitors):
            for location, watch in _watches(service_id, source):
                watches.setdefault(location, []).append(watch)
    return [
        voice(
            location,
            [source.told.words(source.stream) for source in probes.get(location, ())],
            [each for source in probes.get(location, ()) for each in source.told.covered],
            watches.get(location, ()),
        )
        for location in sorted({*probes, *watches})
    ]


def _watches(service_id: str, source: Source) -> Iterator[tuple[str, Watch]]:
    told: Monitors = source.told
    ordered = sorted(told.told, key=lambda each: each[:2])
    for (at, position, said), (until, next_position, _) in pairwise([*ordered, (FOREVER, 0, None)]):
        if said is not None and service_id in said.services:
            silent_after = None if said.silent_after_s is None else said.silent_after_s * SECOND
            for location in said.locations:
                yield location, Watch(at, until, silent_after, source.stream, position, next_position)


# Incidents.


def _affected(service_id: str, sources: Sequence[Source], states: dict[str, State]) -> Iterator[Stretch]:
    """Yield the stretches in which incidents affected a service, in the state that the severity of the time means.

    Those that mean "up" are left out; without `states` all are "down".
    """
    for source in sources:
        if isinstance(source.told, incidents.IncidentState):
            happened = sorted(incidents.happenings(source.told), key=lambda each: (each.at, each.position))
            severities = _severities(happened)
            for low, high, position in _hit(service_id, happened):
                for (since, severity, told), (until, _, _) in pairwise([*severities, (FOREVER, "", 0)]):
                    state = states.get(severity, "down") if states else "down"
                    start, stop = max(low, since), min(high, until)
                    if start < stop and state != "up":
                        yield Stretch(start, stop, state, source.stream, max(position, told) if since > low else position)


Happenings = Sequence[Happening]


def _severities(happened: Happenings) -> list[tuple[int, str, int]]:
    """Return since when the incident had which severity, and where that is said; the first one holds before, too."""
    found: list[tuple[int, str, int]] = []
    for each in happened:
        if isinstance(each.event, i.Declared):
            found.insert(0, (-1, each.event.severity, each.position))
        elif isinstance(each.event, i.SeverityChanged):
            found.append((each.at, each.event.severity, each.position))
    return found


def _hit(service_id: str, happened: Happenings) -> Iterator[tuple[int, int, int]]:
    """Yield when an incident affected a service, with the position that says so: until it was restored or the incident resolved.

    A service named at the declaration is affected from the start of the impact on, or from the detection while that is not known.
    What ended with the resolution goes on with a reopening.
    """
    detected, named, declared_position = next(
        (each.times["detected"], each.event.services, each.position) for each in happened if isinstance(each.event, i.Declared)
    )
    stated = [each.times["impact_started"] for each in happened if "impact_started" in each.times]
    since: tuple[int, int] | None = None  # when, and where that is said
    if service_id in named:
        since = (stated[-1] if stated else detected), declared_position
    by_resolution = False
    for each in happened:
        event = each.event
        again = isinstance(event, i.Reopened) and by_resolution
        if since is None and (again or (isinstance(event, i.ServiceAffected) and event.service_id == service_id)):
            since, by_resolution = (each.at, each.position), False
        elif since is not None and (
            isinstance(event, i.Resolved) or (isinstance(event, i.ServiceRestored) and event.service_id == service_id)
        ):
            yield since[0], each.at, since[1]
            since, by_resolution = None, isinstance(event, i.Resolved)
    if since is not None:
        yield since[0], FOREVER, since[1]
