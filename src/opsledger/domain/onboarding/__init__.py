"""Onboarding plans: what is done with a new customer, by when, counted from the day of go-live.

    created ──> activities completed, skipped, reopened ──> completed
        │           └─ go-live changed: due dates follow, the first date stays known
        └─ first value reached; stalled, resumed; abandoned

The phases and activities are those of the operating model when the plan is made, and stay in the plan. Which phase a customer is in
and what is late follows from these facts. Source: Operating Model, "Onboarding Journey".
"""

from opsledger.domain.onboarding.doing import (
    abandon,
    change_go_live,
    complete,
    complete_activity,
    correct_time,
    create,
    reach_first_value,
    reopen_activity,
    resume,
    skip_activity,
    stall,
)
from opsledger.domain.onboarding.facts import (
    Abandoned,
    ActivityCompleted,
    ActivityReopened,
    ActivitySkipped,
    Completed,
    Fact,
    FirstValueReached,
    GoLiveChanged,
    PlanCreated,
    PlannedPhase,
    Resumed,
    SkipReason,
    Stalled,
    TimeCorrected,
    WaitsFor,
)
from opsledger.domain.onboarding.state import Doing, Plan, evolve

__all__ = [
    "Abandoned",
    "ActivityCompleted",
    "ActivityReopened",
    "ActivitySkipped",
    "Completed",
    "Doing",
    "Fact",
    "FirstValueReached",
    "GoLiveChanged",
    "Plan",
    "PlanCreated",
    "PlannedPhase",
    "Resumed",
    "SkipReason",
    "Stalled",
    "TimeCorrected",
    "WaitsFor",
    "abandon",
    "change_go_live",
    "complete",
    "complete_activity",
    "correct_time",
    "create",
    "evolve",
    "reach_first_value",
    "reopen_activity",
    "resume",
    "skip_activity",
    "stall",
]
