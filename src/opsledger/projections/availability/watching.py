"""What a control watches: an act that violated it, or an instant by which it asks for something that may still come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from opsledger.policies.known import Known
from opsledger.policies.operating_model import OperatingModel
from opsledger.projections.table import boolean, instant, integer, text

__all__ = ["COLUMNS", "SUBJECT", "Severity", "Watch", "asked", "model_at", "seen"]

SUBJECT: Final = text(
    "subject",
    "Stream of what the control is about: change:CHG-7, incident:INC-2, maintenance:M-3, service:database, restore:R-1, slo:api-uptime; "
    "or monitoring:security, a category of monitors.",
)

COLUMNS: Final = (
    text(
        "control",
        "unauthorised_change, unassessed_approval, self_approval, approver_implemented, implementer_verified, retroactive_approval_late, "
        "change_review_late, started_in_freeze, outside_planned_window, unrecorded_change; no_commander, no_war_room, status_update_late, "
        "incident_review_late; maintenance_notice_late, maintenance_unapproved, maintenance_weekday, maintenance_week_of_month, "
        "maintenance_slot, maintenance_longest; recovery_point_missed, recovery_time_missed, recovery_point_old, recovery_drill_late, "
        "integrity_check_late, integrity_breach; slo_without_source, source_stale, category_unwatched.",
    ),
    instant("found_at", "The instant at which it was violated: of the act, or the last at which what it asks for was in time."),
    boolean("awaited", "Does it ask for something by found_at, at which that was in time still? No: an act violated it."),
    instant("kept_at", "When what it asks for came all the same; null: it has not, or cannot any more."),
    text("rule", "What the control asks for, in a sentence."),
    text("severity", "high, medium or low."),
    text("evidence", "Positions of the facts that show it, with a comma between."),
    integer("last_position", "Position of the newest fact used."),
)
"""Columns of a watch after its subject."""

Severity = Literal["high", "medium", "low"]


class Watch(NamedTuple):
    """A row of control_watch without its subject, in the order of the columns. Times in microseconds."""

    control: str
    found_at: int
    awaited: bool
    kept_at: int | None
    rule: str
    severity: Severity
    evidence: str  # positions, with a comma between
    last_position: int


def seen(
    control: str,
    at: int,
    rule: str,
    severity: Severity,
    *,
    evidence: Sequence[int | None],
    last_position: int,
    kept_at: int | None = None,
) -> Watch:
    """Return what an act violated, whenever one looks; `kept_at` is when that ended, where it has an end."""
    return Watch(control, at, False, kept_at, rule, severity, _shown(evidence), last_position)


def asked(
    control: str,
    due_at: int,
    kept_at: int | None,
    rule: str,
    severity: Severity,
    *,
    evidence: Sequence[int | None],
    last_position: int,
) -> list[Watch]:
    """Return the watch for what is asked for by a due time: none where it came in time, and exactly then is in time."""
    if kept_at is not None and kept_at <= due_at:
        return []
    return [Watch(control, due_at, True, kept_at, rule, severity, _shown(evidence), last_position)]


def model_at(known: Known, instant: int) -> OperatingModel:
    """Return the operating model in force at an instant; for one before the first, the first."""
    models = known.models()
    return max((each for each in models if each.effective_from <= instant), key=lambda each: each.effective_from, default=models[0]).model


def _shown(evidence: Sequence[int | None]) -> str:
    return ",".join(str(position) for position in evidence if position is not None)
