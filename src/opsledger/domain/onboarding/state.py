"""What the decisions on an onboarding plan need to know. Times are those last known of each kind, so that a correction finds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Literal, assert_never

from opsledger.domain.concept import concept
from opsledger.domain.onboarding import facts as f
from opsledger.errors import Refused

Doing = Literal["open", "done", "skipped"]


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan as its decisions see it."""

    created: f.PlanCreated
    created_at: datetime
    go_live_on: date
    go_live_at: datetime  # since when that day holds
    activities: Mapping[str, tuple[Doing, datetime]] = field(default_factory=dict)  # as they stand, and since when
    first_value_at: datetime | None = None
    stalled: tuple[f.WaitsFor | None, datetime] | None = None  # None in it: resumed
    ended: tuple[Literal["completed", "abandoned"], datetime] | None = None

    @property
    def planned(self) -> tuple[str, ...]:
        """All activities of the plan, in their order."""
        return tuple(activity for phase in self.created.phases for activity in phase.activities)

    def open(self) -> tuple[str, ...]:
        """Return the activities that are neither done nor skipped, in their order."""
        return tuple(each for each in self.planned if self.activities.get(each, ("open",))[0] == "open")


@concept("onboarding")
def evolve(plan: Plan | None, event: f.Fact) -> Plan:
    """Return the plan after `event`, for every history ever recorded."""
    if plan is None:
        if not isinstance(event, f.PlanCreated):
            raise Refused("onboarding.unplanned", f"An onboarding begins with its plan, not with {type(event).__name__}.")
        return Plan(event, event.created_at, event.go_live_on, event.created_at)
    match event:
        case f.PlanCreated():
            return plan
        case f.GoLiveChanged():
            newer = event.changed_at >= plan.go_live_at
            return replace(plan, go_live_on=event.go_live_on, go_live_at=event.changed_at) if newer else plan
        case f.ActivityCompleted():
            return _now(plan, event.activity, "done", event.completed_at)
        case f.ActivitySkipped():
            return _now(plan, event.activity, "skipped", event.skipped_at)
        case f.ActivityReopened():
            return _now(plan, event.activity, "open", event.reopened_at)
        case f.FirstValueReached():
            return replace(plan, first_value_at=event.reached_at)
        case f.Stalled():
            return _held(plan, event.waits_for, event.stalled_at)
        case f.Resumed():
            return _held(plan, None, event.resumed_at)
        case f.Completed():
            return replace(plan, ended=("completed", event.completed_at))
        case f.Abandoned():
            return replace(plan, ended=("abandoned", event.abandoned_at))
        case f.TimeCorrected():
            return _moved(plan, event.was, event.now)
        case _:
            assert_never(event)


def _now(plan: Plan, activity: str, doing: Doing, at: datetime) -> Plan:
    held = plan.activities.get(activity)
    return plan if held is not None and at < held[1] else replace(plan, activities={**plan.activities, activity: (doing, at)})


def _held(plan: Plan, waits_for: f.WaitsFor | None, at: datetime) -> Plan:
    return plan if plan.stalled is not None and at < plan.stalled[1] else replace(plan, stalled=(waits_for, at))


def _moved(plan: Plan, was: datetime, to: datetime) -> Plan:
    return replace(
        plan,
        created_at=to if plan.created_at == was else plan.created_at,
        go_live_at=to if plan.go_live_at == was else plan.go_live_at,
        activities={each: (doing, to if at == was else at) for each, (doing, at) in plan.activities.items()},
        first_value_at=to if plan.first_value_at == was else plan.first_value_at,
        stalled=(plan.stalled[0], to) if plan.stalled is not None and plan.stalled[1] == was else plan.stalled,
        ended=(plan.ended[0], to) if plan.ended is not None and plan.ended[1] == was else plan.ended,
    )
