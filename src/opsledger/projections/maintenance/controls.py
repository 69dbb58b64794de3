"""What controls watch of a maintenance window: notice in time, an emergency approved before its work, work within the rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from opsledger.domain.recorded import Recorded
from opsledger.policies.instants import SECOND
from opsledger.policies.known import Known
from opsledger.policies.maintenance import Rule
from opsledger.projections.availability.watching import Watch, asked, seen
from opsledger.projections.maintenance import windows as maintenance
from opsledger.projections.maintenance.windows import Told

__all__ = ["MaintenanceState", "fold", "maintenance_watches", "start"]

_OUTSIDE: Final[dict[Rule, str]] = {
    "weekday": "another weekday",
    "week_of_month": "another week of the month",
    "slot": "other hours",
    "longest": "more hours",
}


@dataclass(slots=True)
class MaintenanceState:
    """A window as `maintenance` folds it, and the positions of its newest facts by the last word of their topics."""

    told: Told
    positions: dict[str, int] = field(default_factory=dict)


def start(window_id: str) -> MaintenanceState:
    """Return the state before the first fact."""
    return MaintenanceState(maintenance.start(f"maintenance:{window_id}"))


def fold(state: MaintenanceState, recorded: Recorded) -> MaintenanceState:
    """Return the state after one more fact."""
    state.told = maintenance.fold(state.told, recorded)
    state.positions[recorded.topic.partition(".")[2]] = recorded.position
    return state


def maintenance_watches(state: MaintenanceState, states: Mapping[str, Any], known: Known) -> Iterator[Watch]:
    """Yield what is, or would be, a finding about a window, by the rules in force when it was scheduled."""
    told = state.told
    for verdict, window in zip(maintenance.verdicts_of([told], known), maintenance.windows_of([told], known), strict=True):
        last = told.last_position
        if "notice" in verdict.failed and "cancelled" not in verdict.failed:
            rule = "Planned maintenance is announced to all whom the operating model names as long before as it says."
            due = window.planned[0] - window.rules.notice * SECOND
            evidence = _evidence(state, "scheduled", "notified", "rescheduled")
            yield from asked("maintenance_notice_late", due, verdict.notified_at, rule, "medium", evidence=evidence, last_position=last)
        if told.started_at is None:
            continue
        if "approval" in verdict.failed:
            rule = "Emergency maintenance begins with the approval of the role that the operating model names."
            evidence = _evidence(state, "started", "emergency_approved")
            yield seen("maintenance_unapproved", told.started_at, rule, "high", evidence=evidence, last_position=last)
        for each in verdict.failed:
            if each in _OUTSIDE:
                rule = f"Planned maintenance keeps to the day and hours that the operating model allows; this one took {_OUTSIDE[each]}."
                evidence = _evidence(state, "scheduled", "rescheduled", "started")
                yield seen(f"maintenance_{each}", told.started_at, rule, "low", evidence=evidence, last_position=last)


def _evidence(state: MaintenanceState, *topics: str) -> list[int]:
    return sorted(state.positions[topic] for topic in topics if topic in state.positions)
