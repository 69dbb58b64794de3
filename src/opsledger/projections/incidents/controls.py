"""What controls watch of an incident: commander and war room, words to the world, its review, changes that nobody recorded."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from opsledger.domain import incident as i
from opsledger.policies.instants import SECOND
from opsledger.policies.known import Known
from opsledger.policies.platform import Incidents
from opsledger.policies.support import Priority
from opsledger.policies.updates import gaps
from opsledger.projections.availability.watching import Watch, asked, model_at, seen
from opsledger.projections.incidents import incidents
from opsledger.projections.incidents.incidents import IncidentState, happenings

__all__ = ["incident_watches", "named_changes", "unrecorded_changes"]

_SPOKEN_TO: Final = ("customers", "public")


class _Stretch(NamedTuple):
    """A time [start, end) in which the incident was not resolved; `end` None: it lasts."""

    start: int
    end: int | None
    severity: str


def named_changes(state: IncidentState) -> Collection[str]:
    """Return the changes that an incident says were made: as its cause, or to roll out its fix."""
    return {recorded.fact.change_id for recorded in state.told if getattr(recorded.fact, "change_id", None) is not None}


def unrecorded_changes(subject: str, states: Mapping[str, Any]) -> Iterator[Watch]:
    """Yield that incidents name a change of which nothing is recorded."""
    change_id = subject.partition(":")[2]
    told = [
        recorded
        for state in states.values()
        if isinstance(state, IncidentState)
        for recorded in state.told
        if getattr(recorded.fact, "change_id", None) == change_id
    ]
    if told:
        first = min(told, key=lambda recorded: (recorded.occurred_at, recorded.position))
        positions = tuple(sorted(recorded.position for recorded in told))
        rule = "A change that was made is recorded as a change, with who asked for it and who approved it."
        yield seen("unrecorded_change", first.occurred_at, rule, "high", evidence=positions, last_position=positions[-1])


def incident_watches(state: IncidentState, states: Mapping[str, Any], known: Known) -> Iterator[Watch]:
    """Yield what is, or would be, a finding about an incident, by the operating model in force when it was declared."""
    told = incidents.rows(state)
    names = [column.name for column in incidents.INCIDENT.columns]
    row = dict(zip(names, told["incident"][0], strict=True))
    rules = model_at(known, row["declared_at"]).incidents
    intervals = [_Stretch(begin, end, severity) for _, begin, end, status, severity in told["incident_interval"] if status in _LASTING]
    commanders = [(assigned, released) for _, role, _, _, assigned, released in told["incident_role"] if role == "commander"]
    rooms: list[tuple[int, int | None]] = [] if row["war_room_opened_at"] is None else [(row["war_room_opened_at"], None)]
    yield from _there(state, "no_commander", "a commander", _joined(intervals, rules.commander_for), commanders, rules)
    yield from _there(state, "no_war_room", "a war room", _joined(intervals, rules.war_room_for), rooms, rules)
    yield from _updates(state, intervals, rules)
    if row["resolved_at"] is not None and row["severity"] in rules.review_for:
        rule = "An incident of this severity is reviewed within the time that the operating model gives."
        due = row["resolved_at"] + rules.review_within * SECOND
        evidence = (_newest(state, i.Resolved), _newest(state, i.ReviewHeld))
        yield from asked(
            "incident_review_late", due, row["review_held_at"], rule, "medium", evidence=evidence, last_position=state.last_position
        )


_LASTING: Final = ("open", "mitigated")


def _there(
    state: IncidentState, control: str, what: str, wanted: Iterable[_Stretch], held: list[tuple[int, int | None]], rules: Incidents
) -> Iterator[Watch]:
    """Yield the stretches that lasted longer than people may take to come together, while nobody had come."""
    rule = f"An incident of this severity has {what} within the time that the operating model gives."
    for stretch in wanted:
        due = stretch.start + rules.assembled_within * SECOND
        if stretch.end is not None and stretch.end <= due:
            continue
        came = min((max(since, stretch.start) for since, until in held if until is None or until > stretch.start), default=None)
        kept = came if stretch.end is None or came is None or came < stretch.end else None
        evidence = (_newest(state, i.Declared, i.SeverityChanged, until=stretch.start),)
        yield from asked(control, due, kept, rule, "high", evidence=evidence, last_position=state.last_position)


def _updates(state: IncidentState, intervals: list[_Stretch], rules: Incidents) -> Iterator[Watch]:
    """Yield the gaps between words to customers or the public that were too long for the severity at their start."""
    rule = "While an incident lasts, customers hear of it as often as the operating model says for its severity."
    spoken = [each.at for each in happenings(state) if isinstance(each.event, i.StatusPublished) and each.event.audience in _SPOKEN_TO]
    for stretch in _joined(intervals, tuple(Priority)):
        for gap in gaps(stretch.start, spoken, stretch.end):
            severity = next(each.severity for each in reversed(intervals) if each.start <= gap.start)
            within = rules.update_within.get(Priority(severity))
            due = None if within is None else gap.too_long_at(within * SECOND)
            if due is not None:
                evidence = (_newest(state, i.Declared, i.StatusPublished, i.Reopened, until=gap.start),)
                yield from asked("status_update_late", due, gap.end, rule, "medium", evidence=evidence, last_position=state.last_position)


def _joined(intervals: Iterable[_Stretch], wanted: Collection[Priority]) -> list[_Stretch]:
    """Return the stretches of these severities, those that follow one another as one."""
    found: list[_Stretch] = []
    for each in intervals:
        if each.severity not in wanted:
            continue
        if found and found[-1].end == each.start:
            found[-1] = found[-1]._replace(end=each.end)
        else:
            found.append(each)
    return found


def _newest(state: IncidentState, *kinds: type, until: int | None = None) -> int | None:
    """Return the position of the newest fact of these kinds, of those that had happened by an instant; None where there is none."""
    told = [each for each in happenings(state) if isinstance(each.event, kinds) and (until is None or each.at <= until)]
    return max(told, key=lambda each: (each.at, each.position)).position if told else None
