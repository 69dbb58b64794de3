"""incident: how bad was it, how long did it last, who led it? incident_interval: in which state was it, when?

Grain: incident, one row per incident; incident_interval, one row per incident and stretch [from_at, to_at). An incident is often
declared after it was acknowledged, or even resolved; so here facts count at their own times, corrections applied, and not at
the declaration's time where they lie before it, as in the order of the stream.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from opsledger.domain import incident as i
from opsledger.domain.recorded import Recorded
from opsledger.errors import Refused
from opsledger.policies.instants import micros, whole_seconds
from opsledger.projections.incidents import details
from opsledger.projections.incidents.details import Happening
from opsledger.projections.kinds import Entity, Rows
from opsledger.projections.table import Row, Table, instant, integer, text

__all__ = ["INCIDENT", "INCIDENT_INTERVAL", "PROJECTIONS", "IncidentState", "fold", "happenings", "rows", "start"]

INCIDENT = Table(
    "incident",
    "One row per incident, as of its newest fact. Lengths are wall time in whole seconds, cut; 0 where the end lies before the start.",
    key=("incident_id",),
    columns=(
        details.ID,
        text("status", "open, mitigated, resolved or closed, since it was last reopened."),
        text("severity", "Severity now: critical, high, medium or low."),
        text("peak_severity", "Worst severity that it ever had."),
        text("detection_source", "Who noticed first: monitoring, customer, proactive or third_party."),
        instant("impact_started_at", "When the impact started; null: not known."),
        instant("detected_at", "When a person or a machine first noticed."),
        instant("declared_at", "When somebody said that it is an incident."),
        instant("acknowledged_at", "When somebody first took it on; null: not yet."),
        instant("triaged_at", "When somebody first judged what it is; null: not yet."),
        instant("root_cause_identified_at", "When it was last understood why it happened; null: not yet."),
        instant("mitigated_at", "When the impact last ended or became bearable; null: not said since it was last reopened."),
        instant("resolved_at", "When it was last resolved; null while it is not."),
        instant("closed_at", "When it was closed; null while it is not."),
        integer("ttd_s", "Time to detect: impact_started_at to detected_at; null while one is not known."),
        integer("tta_s", "Time to acknowledge: detected_at to acknowledged_at; null while one is not known."),
        integer("unacknowledged_s", "Time in which nobody had taken it on, detected_at to resolved_at; null while it is not resolved."),
        integer("ttm_s", "Time to mitigate: impact_started_at to mitigated_at; null while one is not known."),
        integer("ttr_s", "Time to resolve: impact_started_at to resolved_at; null while one is not known."),
        integer("open_s", "As ttr_s, but without the time between a resolution and the reopening after it."),
        integer("reopen_count", "How often it was reopened."),
        text("commander_id", "Opaque id of the newest commander, released or not; null: there was none."),
        instant("war_room_opened_at", "When a war room was first opened; null: none was."),
        instant("war_room_closed_at", "When the war room was closed; null: it is open, or none was."),
        integer("status_update_count", "How often an audience was told how it stands."),
        instant("first_status_update_at", "When an audience was first told; null: not yet."),
        text("root_cause_category", "What kind of cause it had, as last said; null: not said."),
        instant("fix_validated_at", "When the fix was last found to hold; null: not said since it was last reopened."),
        integer("rollout_pct", "Share of production that the fix has reached, in percent; null: not said."),
        instant("review_held_at", "When a review was first held since it was last reopened; null: not yet."),
        integer("action_items_open", "Action items neither done nor dropped."),
        integer("action_items_done", "Action items done."),
        integer("action_items_dropped", "Action items dropped."),
        integer("last_position", "Position of the newest fact used."),
    ),
    indexes=(("resolved_at",), ("status",)),
)

INCIDENT_INTERVAL = Table(
    "incident_interval",
    "One row per incident and stretch, from its declaration on, in which status and severity stayed the same.",
    key=("incident_id", "from_at"),
    columns=(
        details.ID,
        instant("from_at", "Start of the stretch."),
        instant("to_at", "End of the stretch, not part of it; null: it lasts."),
        text("status", "Status in the stretch."),
        text("severity", "Severity in the stretch."),
    ),
)


@dataclass(slots=True)
class IncidentState:
    """An incident as folded: what was told of it, and what was corrected since."""

    incident_id: str
    told: list[Recorded] = field(default_factory=list)
    corrected: dict[tuple[int, str], tuple[int, i.MilestoneCorrected]] = field(default_factory=dict)
    last_position: int = 0


def start(incident_id: str) -> IncidentState:
    """Return the state before the first fact."""
    return IncidentState(incident_id)


def fold(state: IncidentState, recorded: Recorded) -> IncidentState:
    """Return the state after one more fact. What the facts say together is for `rows`, which puts them in order."""
    event = recorded.fact
    if not state.told and not isinstance(event, i.Declared):
        raise Refused("incident.undeclared", f"An incident begins with its declaration, not with {type(event).__name__}.")
    if isinstance(event, i.MilestoneCorrected):
        which = (event.corrects, event.milestone)
        known = state.corrected.get(which)
        if known is None or known[0] < recorded.position:
            state.corrected[which] = (recorded.position, event)
    else:
        state.told.append(recorded)
    state.last_position = max(state.last_position, recorded.position)
    return state


def rows(state: IncidentState) -> Rows:
    """Return the rows of one incident."""
    id, happened = state.incident_id, sorted(happenings(state), key=lambda each: (each.at, each.position))
    row, intervals = _tell(id, happened)
    items = details.action_items(id, happened)
    for status, column in _COUNTED_ITEMS.items():
        row[column] = [item[-1] for item in items].count(status)
    row["last_position"] = state.last_position
    return {
        "incident": [tuple([row[name] for name in _NAMES])],
        "incident_interval": intervals,
        "incident_service": details.services(id, happened, row["impact_started_at"]),
        "incident_role": details.roles(id, happened),
        "incident_milestone": list(details.milestones(id, happened, state.corrected)),
        "action_item": items,
    }


_NAMES = [column.name for column in INCIDENT.columns]
_COUNTED_ITEMS = {"open": "action_items_open", "completed": "action_items_done", "dropped": "action_items_dropped"}
_UNDONE_BY_REOPENING = ("mitigated_at", "fix_validated_at", "resolved_at", "closed_at", "review_held_at")


def happenings(state: IncidentState) -> Iterator[Happening]:
    """Yield what happened, each at the time that is held now."""
    for recorded in state.told:
        times = {}
        for name, holder in i.milestones_of(recorded.fact).items():
            correction = state.corrected.get((recorded.position, name))
            held = getattr(recorded.fact, holder) if correction is None else correction[1].now
            if held is not None:
                times[name] = micros(held)
        yield Happening(times[recorded.topic.partition(".")[2]], recorded.position, recorded.fact, times)


def _tell(id: str, happened: Sequence[Happening]) -> tuple[dict[str, Any], list[Row]]:
    """Return the incident by the names of its columns, and the rows of its intervals."""
    row: dict[str, Any] = {**dict.fromkeys(_NAMES), "incident_id": id, "reopen_count": 0, "status_update_count": 0}
    declared_at = next(each.at for each in happened if isinstance(each.event, i.Declared))
    stretches: list[tuple[int, str, str]] = []
    for each in happened:
        _hear(row, each)
        row["status"] = _status(row)
        begin = max(each.at, declared_at)
        if stretches and stretches[-1][0] == begin:
            stretches.pop()
        if not stretches or stretches[-1][1:] != (row["status"], row["severity"]):
            stretches.append((begin, row["status"], row["severity"]))
    impact, detected = row["impact_started_at"], row["detected_at"]
    row["ttd_s"] = _seconds(impact, detected)
    row["tta_s"] = _seconds(detected, row["acknowledged_at"])
    row["unacknowledged_s"] = _unacknowledged_seconds(detected, row["resolved_at"], happened)
    row["ttm_s"] = _seconds(impact, row["mitigated_at"])
    row["ttr_s"] = _seconds(impact, row["resolved_at"])
    row["open_s"] = _open_seconds(impact, happened)
    ends = [*(begin for begin, _, _ in stretches[1:]), None]
    return row, [(id, begin, end, status, severity) for (begin, status, severity), end in zip(stretches, ends, strict=True)]


def _hear(row: dict[str, Any], happening: Happening) -> None:
    """Let the incident hear one fact more, in the order in which they happened."""
    event, at = happening.event, happening.at
    match event:
        case i.Declared():
            row.update(detection_source=event.detection_source, declared_at=at, detected_at=happening.times["detected"])
            row["impact_started_at"] = happening.times.get("impact_started", row["impact_started_at"])
            _judge(row, event.severity)
        case i.ImpactStartStated():
            row["impact_started_at"] = happening.times["impact_started"]
        case i.Acknowledged():
            row["acknowledged_at"] = row["acknowledged_at"] or at
        case i.Triaged():
            row["triaged_at"] = row["triaged_at"] or at
        case i.SeverityChanged():
            _judge(row, event.severity)
        case i.RoleAssigned():
            row["commander_id"] = event.person_id if event.role == "commander" else row["commander_id"]
        case i.WarRoomOpened():
            row["war_room_opened_at"], row["war_room_closed_at"] = row["war_room_opened_at"] or at, None
        case i.WarRoomClosed():
            row["war_room_closed_at"] = at
        case i.StatusPublished():
            row["first_status_update_at"] = row["first_status_update_at"] or at
            row["status_update_count"] += 1
        case i.RootCauseIdentified():
            row["root_cause_identified_at"], row["root_cause_category"] = at, event.category
        case i.Mitigated():
            row["mitigated_at"] = at
        case i.FixValidated():
            row["fix_validated_at"] = at
        case i.RolloutAdvanced():
            row["rollout_pct"] = event.rollout_pct
        case i.Resolved():
            row["resolved_at"] = at
        case i.Closed():
            row["closed_at"] = at
        case i.Reopened():
            row["reopen_count"] += 1
            row.update(dict.fromkeys(_UNDONE_BY_REOPENING))
        case i.ReviewHeld():
            row["review_held_at"] = row["review_held_at"] or at
        case _:
            pass  # says nothing about these columns


def _judge(row: dict[str, Any], severity: i.Severity) -> None:
    row["severity"] = severity
    row["peak_severity"] = min(severity, row["peak_severity"] or severity, key=i.SEVERITIES.index)


def _status(row: dict[str, Any]) -> str:
    for status in ("closed", "resolved", "mitigated"):
        if row[f"{status}_at"] is not None:
            return status
    return "open"


def _seconds(begin: int | None, end: int | None) -> int | None:
    """Return whole seconds from one instant to another, not below 0: what was noticed before it hurt took no time to notice."""
    return None if begin is None or end is None else max(0, whole_seconds(end - begin))


def _open_seconds(impact: int | None, happened: Sequence[Happening]) -> int | None:
    """Return the whole seconds in which it was open, from the start of the impact to the last resolution; None while it is open."""
    if impact is None:
        return None
    since, length = impact, 0
    end: int | None = None
    for each in happened:
        if isinstance(each.event, i.Resolved):
            end = each.at
        elif isinstance(each.event, i.Reopened) and end is not None:
            length += max(0, end - since)
            since, end = max(each.at, impact), None
    return None if end is None else whole_seconds(length + max(0, end - since))


def _unacknowledged_seconds(detected: int, resolved: int | None, happened: Sequence[Happening]) -> int | None:
    """Return the whole seconds, from detection to the last resolution, in which nobody had taken it on; None while it is open."""
    if resolved is None:
        return None
    since: int | None = detected
    length = 0
    for each in happened:
        if isinstance(each.event, i.Acknowledged) and since is not None:
            length += max(0, min(each.at, resolved) - since)
            since = None
        elif isinstance(each.event, i.Unacknowledged) and since is None:
            since = max(each.at, detected)
    return whole_seconds(length + (0 if since is None else max(0, resolved - since)))


PROJECTIONS = (
    Entity(
        "incident",
        2,
        concept="incident",
        tables=(
            INCIDENT,
            INCIDENT_INTERVAL,
            details.INCIDENT_SERVICE,
            details.INCIDENT_ROLE,
            details.INCIDENT_MILESTONE,
            details.ACTION_ITEM,
        ),
        start=start,
        fold=fold,
        rows=rows,
    ),
)
