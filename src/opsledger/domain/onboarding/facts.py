"""Facts of onboarding plans. Stored for good: grow by an optional field or by a new fact."""

from __future__ import annotations

from datetime import date
from typing import Literal

from opsledger.domain.fact import At, Personal, Subject, fact, part

SkipReason = Literal["not_needed", "done_elsewhere", "declined"]
WaitsFor = Literal["customer", "us", "third_party"]


@part
class PlannedPhase:
    """A phase of the plan: the days from go-live [from_day, until_day), and what is done in them."""

    phase: str
    from_day: int
    until_day: int
    activities: tuple[str, ...]


@fact("onboarding.plan_created", at="created_at")
class PlanCreated:
    """It was agreed what is done with a customer until when."""

    created_at: At
    customer_id: str
    go_live_on: date  # UTC day
    phases: tuple[PlannedPhase, ...]
    first_value_needs: tuple[str, ...]
    policy: str  # the operating model, by version and digest, from which the phases were taken
    subscription_id: str | None = None  # whose activation begins the time to value; null: not named
    contract_signed_at: At | None = None


@fact("onboarding.go_live_changed", at="changed_at")
class GoLiveChanged:
    """Go-live was moved to another day, and with it what is due."""

    changed_at: At
    customer_id: str
    go_live_on: date
    subject_id: Subject
    reason: Personal[str]


@fact("onboarding.activity_completed", at="completed_at")
class ActivityCompleted:
    """An activity was done."""

    completed_at: At
    customer_id: str
    activity: str


@fact("onboarding.activity_skipped", at="skipped_at")
class ActivitySkipped:
    """It was decided that an activity is not done for this customer."""

    skipped_at: At
    customer_id: str
    activity: str
    reason: SkipReason
    subject_id: Subject
    note: Personal[str] | None = None


@fact("onboarding.activity_reopened", at="reopened_at")
class ActivityReopened:
    """An activity that was done or skipped is to be done after all."""

    reopened_at: At
    customer_id: str
    activity: str
    subject_id: Subject
    reason: Personal[str]


@fact("onboarding.first_value_reached", at="reached_at")
class FirstValueReached:
    """The customer had the first real use of the product: their first case was processed."""

    reached_at: At
    customer_id: str
    case_id: str | None = None


@fact("onboarding.stalled", at="stalled_at")
class Stalled:
    """Nothing goes on, and somebody is waited for."""

    stalled_at: At
    customer_id: str
    waits_for: WaitsFor
    subject_id: Subject
    note: Personal[str] | None = None


@fact("onboarding.resumed", at="resumed_at")
class Resumed:
    """It goes on."""

    resumed_at: At
    customer_id: str


@fact("onboarding.completed", at="completed_at")
class Completed:
    """Everything was done or skipped, and the onboarding is over."""

    completed_at: At
    customer_id: str


@fact("onboarding.abandoned", at="abandoned_at")
class Abandoned:
    """The onboarding ended without being completed."""

    abandoned_at: At
    customer_id: str
    subject_id: Subject
    reason: Personal[str]


@fact("onboarding.time_corrected", at="corrected_at", corrects=lambda event: (event.corrects, event.now))
class TimeCorrected:
    """What an earlier fact of this plan says happened at another time than it says."""

    corrected_at: At
    customer_id: str
    corrects: int  # position of that fact
    was: At
    now: At
    requested_by: str
    approved_by: str
    subject_id: Subject
    reason: Personal[str]


Fact = (
    PlanCreated
    | GoLiveChanged
    | ActivityCompleted
    | ActivitySkipped
    | ActivityReopened
    | FirstValueReached
    | Stalled
    | Resumed
    | Completed
    | Abandoned
    | TimeCorrected
)
