"""maintenance_window: was it announced, allowed and done in time, and what of it is no downtime?

Grain: one row per service and maintenance window of it. All windows of a service are judged together, since they share each
month's cap. Other projections take `start`, `fold` and `windows_of` from here, so that one fold and one judgement serve all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from opsledger.domain import maintenance as m
from opsledger.domain.recorded import Recorded
from opsledger.policies.instants import SECOND, micros, whole_seconds
from opsledger.policies.intervals import Interval, meeting, overlap, union
from opsledger.policies.known import Known
from opsledger.policies.maintenance import Notice, Slot, Verdict, Window, judge
from opsledger.policies.platform import Maintenance
from opsledger.projections.kinds import Gathered, Line, Rows
from opsledger.projections.maintenance.story import tell_window
from opsledger.projections.table import Row, Table, boolean, instant, integer, text

__all__ = ["MAINTENANCE_WINDOW", "PROJECTIONS", "Told", "fold", "rows", "start", "subjects", "verdicts_of", "windows_of"]

MAINTENANCE_WINDOW = Table(
    "maintenance_window",
    "One row per service and maintenance window of it, judged by the rules in force when it was scheduled. Lengths are cut to seconds.",
    key=("service_id", "window_id"),
    columns=(
        text("service_id", "Id of the service."),
        text("window_id", "Id of the window, the host's."),
        text("kind", "planned or emergency; an emergency is never planned maintenance."),
        text("status", "scheduled, in_progress, completed or cancelled."),
        instant("scheduled_at", "When it was planned, or the emergency decided on."),
        instant("planned_start_at", "Announced start, as moved last."),
        instant("planned_end_at", "Announced end, as moved last."),
        integer("reschedule_count", "How often it was moved."),
        instant("started_at", "When work began; null: not said."),
        instant("ended_at", "When work ended; null: not said."),
        instant("cancelled_at", "When it was called off; null: it was not."),
        instant("notified_at", "When the last audience that the rules name was first told of the plan as it is; null: one was not."),
        integer("notice_s", "From notified_at to planned_start_at, below 0 when told afterwards; null while notified_at is."),
        instant("slot_start_at", "Begin of the hours allowed, on the local date of the announced start."),
        instant("slot_end_at", "End of those hours."),
        boolean("in_slot", "Whether the announced time lies in those hours, on the weekday and in the week allowed; null: an emergency."),
        boolean("qualifies", "Whether it is planned maintenance, by every rule, as far as is known; one that is not counts as downtime."),
        text("disqualified_by", "Rules that it fails: cancelled, emergency, approval, weekday, week_of_month, slot, longest, notice."),
        integer("excluded_s", "Seconds that do not count as downtime; while work goes on, up to the announced end."),
        integer("counted_s", "Seconds of work that count wherever the service was down; null while it is not known when work ended."),
        integer("early_s", "Of the work, what lay before the announced start."),
        integer("overrun_s", "Of the work, what lay beyond the announced end; null while it is not known when work ended."),
        integer("over_cap_s", "Of the work within the announced time, what the month's cap left no room for."),
        text("month", "Month of the rules' zone whose cap it uses, for example 2026-03."),
        integer("cap_used_s", "Of the month's cap, what this window and those before it used."),
        instant("approved_at", "When the emergency was first approved in the role that the rules name; null: it was not."),
        text("approved_by", "Opaque id of who approved it."),
        text("approver_role", "The role in which it was approved."),
        integer("notice_delay_s", "Of an emergency, from scheduled_at to the first notice; null: none was given, or it was planned."),
        boolean("notice_met", "Of an emergency, whether the first notice came in time; null: not known yet, or it was planned."),
        integer(
            "update_gap_s", "Of an emergency, the longest silence known: between start, status updates and end; null before the start."
        ),
        boolean("updates_met", "Of an emergency, whether no silence was too long; null: not known yet, or it was planned."),
        text("change_id", "Id of the change that was made in it; null: none was named."),
        text("policy_ref", "The operating model by whose rules it is judged."),
        integer("last_position", "Position of the newest fact on it, or on a window before it of the same month, whose cap they share."),
    ),
    indexes=(("planned_start_at",),),
)


@dataclass(slots=True)
class Told:
    """What is known of one window, facts taken in the order in which they happened. Microseconds."""

    window_id: str
    kind: m.Kind = "planned"
    services: tuple[str, ...] = ()
    policy: str = ""
    planned: Interval = (0, 0)
    slot: Slot | None = None  # None: not scheduled yet
    scheduled_at: int = 0
    reschedule_count: int = 0
    notices: tuple[Notice, ...] = ()  # of the plan as it is now
    first_notice_at: int | None = None  # of any plan, to anybody
    started_at: int | None = None
    completed_at: int | None = None
    cancelled_at: int | None = None
    approved_at: int | None = None
    approved_by: str | None = None
    approver_role: str | None = None
    updates: list[int] = field(default_factory=list)
    change_id: str | None = None
    last_position: int = 0


def start(stream: str) -> Told:
    """Return the state of a window before its first fact; `stream` is `maintenance:M-7`."""
    return Told(stream.partition(":")[2])


def fold(told: Told, recorded: Recorded) -> Told:
    """Return the state after one fact more; times are those of the envelope, corrected."""
    event, at = recorded.fact, recorded.occurred_at
    told.last_position = max(told.last_position, recorded.position)
    match event:
        case m.Scheduled():
            told.kind, told.services, told.policy = event.kind, event.services, event.policy
            told.planned, told.slot = (micros(event.start_at), micros(event.end_at)), _slot(event.slot)
            told.scheduled_at, told.change_id = at, event.change_id
        case m.Notified():
            told.notices += (Notice(event.audience, at),)
            told.first_notice_at = at if told.first_notice_at is None else told.first_notice_at
        case m.Rescheduled():
            planned = micros(event.start_at), micros(event.end_at)
            if planned[0] != told.planned[0] or planned[1] > told.planned[1]:
                told.notices = ()
            told.planned, told.slot = planned, _slot(event.slot)
            told.reschedule_count += 1
        case m.EmergencyApproved() if told.approved_at is None:
            told.approved_at, told.approved_by, told.approver_role = at, event.approved_by, event.approver_role
        case m.Started():
            told.started_at = at
        case m.Completed():
            told.completed_at = at
        case m.Cancelled():
            told.cancelled_at = at
        case m.StatusPublished():
            told.updates.append(at)
        case _:
            pass  # a correction has moved the fact that it names; a second approval changes nothing
    return told


def subjects(told: Told) -> Collection[str]:
    """Return the ids of the services that the window is for."""
    return told.services


def windows_of(tolds: Iterable[Told], known: Known) -> tuple[Window, ...]:
    """Return windows as `policies.maintenance.judge` takes them, each with the rules in force when it was scheduled."""
    return tuple(
        Window(
            window_id=told.window_id,
            rules=known.model(told.policy).maintenance,
            emergency=told.kind == "emergency",
            planned=told.planned,
            slot=told.slot,
            notices=told.notices,
            started_at=told.started_at,
            ended_at=told.completed_at,
            cancelled_at=told.cancelled_at,
            approved_at=told.approved_at,
        )
        for told in tolds
        if told.slot is not None
    )


def verdicts_of(tolds: Iterable[Told], known: Known) -> tuple[Verdict, ...]:
    """Return the verdicts on all windows of one service, in the order of time. What they exclude is no downtime."""
    return judge(windows_of(tolds, known))


def _slot(slot: m.Slot) -> Slot:
    return Slot(slot.day, micros(slot.begins_at), micros(slot.ends_at))


def rows(service_id: str, states: Mapping[str, Told], known: Known) -> Rows:
    """Return the rows of one service."""
    tolds = {told.window_id: told for told in states.values()}
    windows = {window.window_id: window for window in windows_of(tolds.values(), known)}
    verdicts = judge(windows.values())
    excluded = union(interval for verdict in verdicts for interval in verdict.excluded)
    newest: dict[str, int] = {}
    made = []
    for verdict in verdicts:
        told, window = tolds[verdict.window_id], windows[verdict.window_id]
        newest[verdict.month] = max(newest.get(verdict.month, 0), told.last_position)
        made.append(_row(service_id, told, window, verdict, excluded, newest[verdict.month]))
    return {"maintenance_window": made}


def tell(table: str, row: Mapping[str, Any], states: Mapping[str, Told], known: Known) -> list[Line]:
    """Return why a window is planned maintenance or not."""
    windows = {window.window_id: window for window in windows_of(states.values(), known)}
    verdict = next(each for each in judge(windows.values()) if each.window_id == row["window_id"])
    told = next(each for each in states.values() if each.window_id == verdict.window_id)
    return list(tell_window(windows[verdict.window_id], verdict, told.last_position))


def _row(service_id: str, told: Told, window: Window, verdict: Verdict, excluded: list[Interval], position: int) -> Row:
    out_of_slot = {"weekday", "week_of_month", "slot"} & set(verdict.failed)
    return (
        service_id,
        told.window_id,
        told.kind,
        _status(told),
        told.scheduled_at,
        *window.planned,
        told.reschedule_count,
        told.started_at,
        None if told.started_at is None else told.completed_at,
        told.cancelled_at,
        verdict.notified_at,
        _seconds(verdict.notice),
        window.slot.low,
        window.slot.high,
        None if window.emergency else not out_of_slot,
        verdict.qualifies,
        ", ".join(verdict.failed) or None,
        _seconds(sum(high - low for low, high in verdict.excluded)),
        _seconds(_counted(window, excluded)),
        _seconds(verdict.early),
        _seconds(verdict.overrun),
        _seconds(verdict.over_cap),
        verdict.month,
        _seconds(verdict.cap_used),
        told.approved_at,
        told.approved_by,
        told.approver_role,
        *(_as_emergency(told, window.rules) if window.emergency else (None, None, None, None)),
        told.change_id,
        told.policy,
        position,
    )


def _status(told: Told) -> str:
    if told.completed_at is not None:
        return "completed"
    if told.cancelled_at is not None:
        return "cancelled"
    return "scheduled" if told.started_at is None else "in_progress"


def _counted(window: Window, excluded: list[Interval]) -> int | None:
    """Return how much of the work counts; what another window of the service excludes does not."""
    if window.work is None:
        return 0
    if window.ended_at is None and window.cancelled_at is None:
        return None
    low, high = window.work
    return high - low - overlap(union([window.work]), excluded[meeting(excluded, low, high)])


def _as_emergency(told: Told, rules: Maintenance) -> tuple[int | None, bool | None, int | None, bool | None]:
    """Return how an emergency was told of: delay of the first notice, longest silence, and of each whether it was short enough."""
    over = told.completed_at is not None or told.cancelled_at is not None
    delay = None if told.first_notice_at is None else told.first_notice_at - told.scheduled_at
    gap = _longest_silence(told)
    in_time = delay <= rules.emergency_notice_within * SECOND if delay is not None else False if over else None
    quiet = None if gap is None else gap <= rules.emergency_update_within * SECOND
    return _seconds(delay), in_time, _seconds(gap), quiet if over or quiet is False else None


def _longest_silence(told: Told) -> int | None:
    if told.started_at is None:
        return None
    begin, end = told.started_at, told.completed_at
    said = [at for at in told.updates if at > begin and (end is None or at < end)]
    heard = sorted([begin, *said, *([] if end is None else [max(begin, end)])])
    return max((later - earlier for earlier, later in pairwise(heard)), default=0)


def _seconds(length: int | None) -> int | None:
    return None if length is None else whole_seconds(length)


PROJECTIONS = (
    Gathered(
        "maintenance_window",
        1,
        concepts=("maintenance",),
        tables=(MAINTENANCE_WINDOW,),
        start=start,
        fold=fold,
        subjects=subjects,
        rows=rows,
        tell=tell,
    ),
)
