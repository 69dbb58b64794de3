"""control_finding: where was a control not kept, by which facts? control_watch: where would it be by then, if nothing more came?

Grain: one row per subject (a change, an incident), control, and instant at which it was violated. What a control asks for by a
due time is watched from the start and found once that time has passed without it; so the clock decides in a view, not in a table.

A concept joins by an entry in `_WATCHES`: how its streams are folded, and what its state lets watch.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, get_args

from opsledger.domain.recorded import Recorded
from opsledger.policies.known import Known
from opsledger.policies.platform import MonitorCategory
from opsledger.projections.availability import sources as availability_sources
from opsledger.projections.availability.monitor_controls import category_watches
from opsledger.projections.availability.watching import COLUMNS, SUBJECT, Watch
from opsledger.projections.changes import changes, freezes
from opsledger.projections.changes.controls import change_watches
from opsledger.projections.incidents import incidents
from opsledger.projections.incidents.controls import incident_watches, named_changes, unrecorded_changes
from opsledger.projections.kinds import Gathered, Line, Rows, Sql, View
from opsledger.projections.maintenance import controls as maintenance_controls
from opsledger.projections.recovery import controls as recovery_controls
from opsledger.projections.recovery import points as recovery_points
from opsledger.projections.recovery import recovery
from opsledger.projections.table import Table

__all__ = ["CONTROL_FINDING", "CONTROL_WATCH", "PROJECTIONS"]

CONTROL_WATCH = Table(
    "control_watch",
    "One row per subject, control and instant at which it was, or would be, violated.",
    key=("subject", "control", "found_at"),
    columns=(SUBJECT, *COLUMNS),
    indexes=(("control", "found_at"),),
)


@dataclass(frozen=True, slots=True)
class _Concept:
    """How the streams of a concept are folded, and what its state lets watch."""

    start: Callable[[str], Any]
    fold: Callable[[Any, Recorded], Any]
    watches: Callable[[Any, Mapping[str, Any], Known], Iterable[Watch]]  # of the subject's own state, all states, what is known


def _told(concept: str, id: str) -> recovery.Told:
    return recovery.start(f"{concept}:{id}")


def _source(concept: str, id: str) -> availability_sources.Source:
    return availability_sources.start(f"{concept}:{id}")


def _nothing(state: Any, states: Mapping[str, Any], known: Known) -> Iterable[Watch]:
    return ()


_WATCHES: Final[dict[str, _Concept]] = {
    "change": _Concept(changes.start, changes.fold, change_watches),
    "incident": _Concept(incidents.start, incidents.fold, incident_watches),
    "maintenance": _Concept(maintenance_controls.start, maintenance_controls.fold, maintenance_controls.maintenance_watches),
    "restore": _Concept(partial(_told, "restore"), recovery.fold, recovery_controls.recovery_watches),
    "recovery_drill": _Concept(partial(_told, "recovery_drill"), recovery.fold, recovery_controls.recovery_watches),
    "integrity_check": _Concept(partial(_told, "integrity_check"), recovery.fold, recovery_controls.check_watches),
}
_BESIDE: Final[dict[str, _Concept]] = {
    "freeze": _Concept(freezes.start, freezes.fold, _nothing),
    "recovery_point": _Concept(recovery_points.start, recovery_points.fold, _nothing),
    "service": _Concept(recovery_controls.start_life, recovery_controls.fold_life, _nothing),
    "slo": _Concept(partial(_source, "slo"), availability_sources.fold, _nothing),
    "monitor": _Concept(partial(_source, "monitor"), availability_sources.fold, _nothing),
}
"""Concepts of which nothing is watched by themselves, but what others are held against."""


def _of(concept: str) -> _Concept:
    return _WATCHES.get(concept) or _BESIDE[concept]


def _start(stream: str) -> tuple[str, Any]:
    concept, _, id = stream.partition(":")
    return stream, _of(concept).start(id)


def _fold(state: tuple[str, Any], recorded: Recorded) -> tuple[str, Any]:
    stream, held = state
    return stream, _of(recorded.concept).fold(held, recorded)


def _subjects(state: tuple[str, Any]) -> Collection[str]:
    """Return the stream itself, and the others that it speaks of: changes that an incident names, the service that a drill is of."""
    stream, held = state
    match held:
        case incidents.IncidentState():
            return [stream, *(f"change:{change_id}" for change_id in named_changes(held))]
        case recovery.Told():
            return [stream, *(f"service:{service_id}" for service_id in recovery.subjects(held))]
        case availability_sources.Source():
            return [f"monitoring:{category}" for category in get_args(MonitorCategory)]
        case recovery_points.Points():
            return [f"service:{held.service_id}"]
        case _:
            return [stream]


def _rows(subject: str, states: Mapping[str, tuple[str, Any]], known: Known) -> Rows:
    held = {stream: state for stream, (_, state) in states.items()}
    concept, _, id = subject.partition(":")
    if concept == "monitoring":
        watches = category_watches(id, held, known)
    elif concept == "service":
        watches = recovery_controls.service_watches(id, held, known)
    elif subject in held:
        watches = iter(_WATCHES[concept].watches(held[subject], held, known))
    else:
        watches = unrecorded_changes(subject, held)
    made = {(watch.control, watch.found_at): watch for watch in watches}
    return {"control_watch": [(subject, *made[key]) for key in sorted(made)]}


def _tell(table: str, row: Mapping[str, Any], states: Mapping[str, Any], known: Known) -> Sequence[Line]:
    """Say what a row rests on: the rule, and the facts that show that it was not kept."""
    return [Line(row["rule"], tuple(int(position) for position in row["evidence"].split(",") if position))]


def _finding(sql: Sql) -> str:
    names = ", ".join(column.name for column in CONTROL_WATCH.columns)
    watched = f"SELECT {names} FROM control_watch UNION ALL SELECT {names} FROM monitor_watch"
    return f"""
        SELECT w.* FROM ({watched}) w, opsledger_as_of o
        WHERE w.awaited = {sql.false()} OR w.found_at < o.effective_at
    """


CONTROL_FINDING = View(
    "control_finding",
    "One row per subject, control and instant at which it was violated, as of the as-of time.",
    key=("subject", "control", "found_at"),
    columns=(SUBJECT, *COLUMNS),
    sql=_finding,
)

PROJECTIONS = (
    Gathered(
        "control_watch",
        3,
        concepts=(*_WATCHES, "recovery_point", "service", "slo", "monitor"),
        tables=(CONTROL_WATCH,),
        start=_start,
        fold=_fold,
        subjects=_subjects,
        rows=_rows,
        everywhere=("freeze",),
        tell=_tell,
    ),
    CONTROL_FINDING,
)
