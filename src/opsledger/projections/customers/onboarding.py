"""onboarding_progress: how far is each new customer, and what is late? onboarding_activity: what is done by when?

Grain: onboarding_plan, one row per plan; onboarding_phase, one row per plan and phase; onboarding_activity, one row per plan and
activity; as of the newest fact. Views add what the present tells: onboarding_progress, one row per plan, and time_to_value, one row
per plan and beginning from which it is measured, the unfinished among them as censored. Days are UTC days. What is due on a day is in
time while that day lasts, so exactly at its end it is late.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from typing import Literal

from opsledger.domain import onboarding as o
from opsledger.domain.recorded import Recorded
from opsledger.policies.instants import DAY_S, SECOND, micros, whole_seconds
from opsledger.policies.money import half_up
from opsledger.projections.kinds import Entity, Rows
from opsledger.projections.table import Row, Table, boolean, instant, integer, text

__all__ = ["ONBOARDING_ACTIVITY", "ONBOARDING_PHASE", "ONBOARDING_PLAN", "PROJECTIONS", "Doing", "Told", "fold", "rows", "start"]

ONBOARDING_PLAN = Table(
    "onboarding_plan",
    "One row per onboarding plan, as of its newest fact.",
    key=("plan_id",),
    columns=(
        text("plan_id", "Id of the plan."),
        text("customer_id", "Opaque id of the customer."),
        text("subscription_id", "Whose activation begins the time to value; null: none was named."),
        text("status", "going_on, stalled, completed or abandoned."),
        instant("created_at", "When the plan was made."),
        instant("contract_signed_at", "When the contract was signed; null: not known."),
        text("go_live_on", "UTC day of go-live, as it was moved last."),
        text("original_go_live_on", "UTC day of go-live as it was planned first."),
        integer("go_live_moves", "How often it was moved."),
        integer("go_live_moved_days", "Days from the first planned day to the present one; negative: earlier."),
        text("open_phase", "First phase with something open; null: nothing is."),
        integer("done", "Activities that are done."),
        integer("skipped", "Activities that are skipped."),
        integer("total", "Activities of the plan."),
        integer("progress_bp", "done / (total - skipped) in basis points, rounded half up; null: all are skipped."),
        instant("stalled_at", "Since when nothing goes on; null: it does."),
        text("waits_for", "For whom it waits: customer, us or third_party; null: for nobody."),
        integer("stalled_s", "Seconds of the stalls that have ended."),
        instant("first_value_at", "When the customer had the first real use; null: not yet."),
        instant("completed_at", "When everything was done or skipped and it was over; null: not yet, or not so."),
        instant("abandoned_at", "When it ended without that; null: it did not."),
        text("policy_ref", "The operating model from which the phases were taken."),
        integer("last_position", "Position of the newest fact used."),
    ),
    indexes=(("customer_id",),),
)

ONBOARDING_PHASE = Table(
    "onboarding_phase",
    "One row per onboarding plan and phase, as of its newest fact.",
    key=("plan_id", "phase"),
    columns=(
        text("plan_id", "Id of the plan."),
        text("phase", "Name of the phase."),
        integer("seq", "Number of the phase, from 1."),
        text("starts_on", "First UTC day of the phase."),
        instant("due_at", "When the phase ends: what is done before that is in time."),
        instant("original_due_at", "The same as planned first."),
        integer("done", "Activities that are done."),
        integer("skipped", "Activities that are skipped."),
        integer("total", "Activities of the phase."),
        instant("completed_at", "When the last of them was done or skipped; null: something is open."),
        boolean("on_time", "Whether that was before due_at; null: something is open."),
        integer("last_position", "Position of the newest fact used."),
    ),
)

ONBOARDING_ACTIVITY = Table(
    "onboarding_activity",
    "One row per onboarding plan and activity, as of its newest fact.",
    key=("plan_id", "activity"),
    columns=(
        text("plan_id", "Id of the plan."),
        text("activity", "Name of the activity."),
        text("customer_id", "Opaque id of the customer."),
        text("phase", "Phase in which it is due."),
        integer("seq", "Number of the activity in the plan, from 1."),
        text("status", "open, done or skipped."),
        text("due_on", "Last UTC day on which it is in time, counted from go-live as it was moved last."),
        text("original_due_on", "The same as planned first."),
        instant("due_at", "End of due_on: what is done before that is in time."),
        instant("completed_at", "When it was done; null: it is not."),
        instant("skipped_at", "When it was skipped; null: it is not."),
        text("skipped_reason", "not_needed, done_elsewhere or declined; null: it is not skipped."),
        integer("reopen_count", "How often it was to be done after all."),
        integer("days_late", "Days begun between due_at and completed_at, 0 where it was in time; null: it is not done."),
        integer("last_position", "Position of the newest fact used."),
    ),
)


@dataclass(slots=True)
class Doing:
    """How an activity stands. Microseconds."""

    status: Literal["open", "done", "skipped"] = "open"
    at: int | None = None
    reason: str | None = None
    reopen_count: int = 0
    position: int = 0


@dataclass(slots=True)
class Told:
    """What is known of one plan, facts taken in the order in which they happened."""

    plan_id: str
    created: o.PlanCreated | None = None
    created_at: int = 0
    created_position: int = 0
    go_lives: list[tuple[date, int, int]] = field(default_factory=list)  # day, since when it is planned, position
    doing: dict[str, Doing] = field(default_factory=dict)
    stalled: tuple[str, int] | None = None  # whom it waits for, since when
    stalled_for: int = 0
    first_value_at: int | None = None
    completed_at: int | None = None
    abandoned_at: int | None = None
    last_position: int = 0

    @property
    def customer_id(self) -> str:
        """The customer of the plan."""
        return self.created.customer_id if self.created is not None else ""


def start(stream: str) -> Told:
    """Return the state of a plan before its first fact; `stream` is `onboarding:O-7`."""
    return Told(stream.partition(":")[2])


def fold(told: Told, recorded: Recorded) -> Told:
    """Return the state after one fact more; times are those of the envelope, corrected."""
    event, at = recorded.fact, recorded.occurred_at
    told.last_position = max(told.last_position, recorded.position)
    match event:
        case o.PlanCreated():
            told.created, told.created_at, told.created_position = event, at, recorded.position
            told.go_lives.append((event.go_live_on, at, recorded.position))
            told.doing = {activity: Doing(position=recorded.position) for phase in event.phases for activity in phase.activities}
        case o.GoLiveChanged():
            told.go_lives.append((event.go_live_on, at, recorded.position))
        case o.ActivityCompleted() | o.ActivitySkipped() | o.ActivityReopened() if event.activity in told.doing:
            _do(told.doing[event.activity], event, recorded)
        case o.FirstValueReached():
            told.first_value_at = at
        case o.Stalled():
            _resume(told, at)
            told.stalled = event.waits_for, at
        case o.Resumed():
            _resume(told, at)
        case o.Completed():
            _resume(told, at)
            told.completed_at = at
        case o.Abandoned():
            _resume(told, at)
            told.abandoned_at = at
        case _:
            pass  # a correction has moved the fact that it names
    return told


def _do(doing: Doing, event: o.ActivityCompleted | o.ActivitySkipped | o.ActivityReopened, recorded: Recorded) -> None:
    doing.position = max(doing.position, recorded.position)
    match event:
        case o.ActivityCompleted():
            doing.status, doing.at, doing.reason = "done", recorded.occurred_at, None
        case o.ActivitySkipped():
            doing.status, doing.at, doing.reason = "skipped", recorded.occurred_at, event.reason
        case o.ActivityReopened():
            doing.reopen_count += doing.status != "open"
            doing.status, doing.at, doing.reason = "open", None, None


def _resume(told: Told, at: int) -> None:
    if told.stalled is not None:
        told.stalled_for += at - told.stalled[1]
        told.stalled = None


def rows(told: Told) -> Rows:
    """Return the rows of one plan; none before it is known what is planned."""
    if told.created is None:
        return {"onboarding_plan": [], "onboarding_phase": [], "onboarding_activity": []}
    return {
        "onboarding_plan": [_plan(told, told.created)],
        "onboarding_phase": [_phase(told, i, phase) for i, phase in enumerate(told.created.phases, 1)],
        "onboarding_activity": list(_activities(told, told.created)),
    }


def _plan(told: Told, created: o.PlanCreated) -> Row:
    go_live, original = told.go_lives[-1][0], told.go_lives[0][0]
    done, skipped, total = _tally(list(told.doing.values()))
    left = (phase.phase for phase in created.phases if any(told.doing[each].status == "open" for each in phase.activities))
    ended = "completed" if told.completed_at is not None else "abandoned" if told.abandoned_at is not None else None
    return (
        told.plan_id,
        created.customer_id,
        created.subscription_id,
        ended or ("going_on" if told.stalled is None else "stalled"),
        told.created_at,
        None if created.contract_signed_at is None else micros(created.contract_signed_at),
        go_live.isoformat(),
        original.isoformat(),
        len(told.go_lives) - 1,
        (go_live - original).days,
        next(left, None),
        done,
        skipped,
        total,
        half_up(Fraction(10_000 * done, total - skipped)) if total > skipped else None,
        None if told.stalled is None else told.stalled[1],
        None if told.stalled is None else told.stalled[0],
        whole_seconds(told.stalled_for),
        told.first_value_at,
        told.completed_at,
        told.abandoned_at,
        created.policy,
        told.last_position,
    )


def _phase(told: Told, seq: int, phase: o.PlannedPhase) -> Row:
    go_live, original = told.go_lives[-1], told.go_lives[0]
    due = _midnight(go_live[0], phase.until_day)
    doing = [told.doing[each] for each in phase.activities]
    done, skipped, total = _tally(doing)
    ended = max((each.at or 0 for each in doing), default=0) if done + skipped == total and total else None
    return (
        told.plan_id,
        phase.phase,
        seq,
        (go_live[0] + timedelta(days=phase.from_day)).isoformat(),
        due,
        _midnight(original[0], phase.until_day),
        done,
        skipped,
        total,
        ended,
        None if ended is None else ended < due,
        max(go_live[2], told.created_position, *(each.position for each in doing)),
    )


def _activities(told: Told, created: o.PlanCreated) -> Iterator[Row]:
    go_live, original = told.go_lives[-1], told.go_lives[0]
    planned = [(phase, activity) for phase in created.phases for activity in phase.activities]
    for seq, (phase, activity) in enumerate(planned, 1):
        doing, due = told.doing[activity], _midnight(go_live[0], phase.until_day)
        yield (
            told.plan_id,
            activity,
            created.customer_id,
            phase.phase,
            seq,
            doing.status,
            (go_live[0] + timedelta(days=phase.until_day - 1)).isoformat(),
            (original[0] + timedelta(days=phase.until_day - 1)).isoformat(),
            due,
            doing.at if doing.status == "done" else None,
            doing.at if doing.status == "skipped" else None,
            doing.reason,
            doing.reopen_count,
            _days_late(doing.at, due) if doing.status == "done" and doing.at is not None else None,
            max(doing.position, go_live[2], told.created_position),
        )


def _tally(doing: list[Doing]) -> tuple[int, int, int]:
    return sum(each.status == "done" for each in doing), sum(each.status == "skipped" for each in doing), len(doing)


def _midnight(day: date, after_days: int) -> int:
    """Return when the UTC day so many days after another begins, in microseconds."""
    return (day - date(1970, 1, 1) + timedelta(days=after_days)).days * DAY_S * SECOND


def _days_late(at: int, due: int) -> int:
    return 0 if at < due else (at - due) // (DAY_S * SECOND) + 1


PROJECTIONS = (
    Entity(
        "onboarding",
        1,
        concept="onboarding",
        tables=(ONBOARDING_PLAN, ONBOARDING_PHASE, ONBOARDING_ACTIVITY),
        start=Told,
        fold=fold,
        rows=rows,
    ),
)
