"""Decisions on an onboarding plan. Return the facts to record; `()` when there is nothing to add."""

from __future__ import annotations

from datetime import date, datetime

from opsledger.domain.concept import Moment, another, starts
from opsledger.domain.corrections import check_time
from opsledger.domain.onboarding import facts as f
from opsledger.domain.onboarding.state import Doing, Plan
from opsledger.errors import Refused


@starts
def create(
    plan: Plan | None,
    now: Moment,
    /,
    *,
    customer_id: str,
    go_live_on: date,
    subscription_id: str | None = None,
    contract_signed_at: datetime | None = None,
) -> tuple[f.Fact, ...]:
    """Record a plan with the phases and activities of the operating model in force."""
    if plan is not None:
        raise Refused("onboarding.exists", f"{now.id} is planned already, for {plan.created.customer_id}; record on it.")
    model = now.policies.in_force
    phases = tuple(
        f.PlannedPhase(phase=name, from_day=phase.from_day, until_day=phase.until_day, activities=activities)
        for name, phase, activities in model.model.onboarding.phases()
    )
    created = f.PlanCreated(
        created_at=now.at,
        customer_id=customer_id,
        go_live_on=go_live_on,
        phases=phases,
        first_value_needs=model.model.onboarding.first_value_needs,
        policy=model.ref,
        subscription_id=subscription_id,
        contract_signed_at=contract_signed_at,
    )
    return (created,)


def change_go_live(plan: Plan, now: Moment, /, *, go_live_on: date, reason: str) -> tuple[f.Fact, ...]:
    """Record that go-live is moved to another day. Adds nothing where that is the day."""
    _going_on(plan, now, "move of go-live")
    if now.then(plan).go_live_on == go_live_on:
        return ()
    made = f.GoLiveChanged(
        changed_at=now.at, customer_id=plan.created.customer_id, go_live_on=go_live_on, subject_id=now.stream, reason=reason
    )
    return (made,)


def complete_activity(plan: Plan, now: Moment, /, *, activity: str) -> tuple[f.Fact, ...]:
    """Record that an activity was done. One that is done or skipped is reopened first, or has its time corrected."""
    if _stands(plan, now, activity, "done"):
        return ()
    return (f.ActivityCompleted(completed_at=now.at, customer_id=plan.created.customer_id, activity=activity),)


def skip_activity(plan: Plan, now: Moment, /, *, activity: str, reason: f.SkipReason, note: str | None = None) -> tuple[f.Fact, ...]:
    """Record that an activity is not done for this customer, and why."""
    if _stands(plan, now, activity, "skipped"):
        return ()
    customer_id = plan.created.customer_id
    return (
        f.ActivitySkipped(skipped_at=now.at, customer_id=customer_id, activity=activity, reason=reason, subject_id=now.stream, note=note),
    )


def reopen_activity(plan: Plan, now: Moment, /, *, activity: str, reason: str) -> tuple[f.Fact, ...]:
    """Record that an activity that was done or skipped by then is to be done after all. Adds nothing where it was open."""
    _going_on(plan, now, "reopening")
    _known(plan, activity)
    if now.then(plan).activities.get(activity, ("open",))[0] == "open":
        return ()
    customer_id = plan.created.customer_id
    return (f.ActivityReopened(reopened_at=now.at, customer_id=customer_id, activity=activity, subject_id=now.stream, reason=reason),)


def reach_first_value(plan: Plan, now: Moment, /, *, case_id: str | None = None) -> tuple[f.Fact, ...]:
    """Record that the customer had the first real use of the product. Refuses while what it needs is open."""
    _since_created(plan, now.at, "first value")
    if plan.first_value_at == now.at:
        return ()
    if plan.first_value_at is not None:
        raise Refused("onboarding.first_value", f"It was reached at {plan.first_value_at.isoformat()}; correct that time if it is wrong.")
    then = now.then(plan).open()
    if lacking := [each for each in plan.created.first_value_needs if each in then]:
        raise Refused("onboarding.no_first_value", f"By then {', '.join(lacking)} was not done; complete it, with its time, first.")
    return (f.FirstValueReached(reached_at=now.at, customer_id=plan.created.customer_id, case_id=case_id),)


def stall(plan: Plan, now: Moment, /, *, waits_for: f.WaitsFor, note: str | None = None) -> tuple[f.Fact, ...]:
    """Record that nothing goes on, and who is waited for. Adds nothing where they are waited for already."""
    _going_on(plan, now, "stall")
    then = now.then(plan).stalled
    if then is not None and then[0] == waits_for:
        return ()
    made = f.Stalled(stalled_at=now.at, customer_id=plan.created.customer_id, waits_for=waits_for, subject_id=now.stream, note=note)
    return (made,)


def resume(plan: Plan, now: Moment, /) -> tuple[f.Fact, ...]:
    """Record that it goes on. Adds nothing where it was not stalled."""
    _going_on(plan, now, "resumption")
    then = now.then(plan).stalled
    return () if then is None or then[0] is None else (f.Resumed(resumed_at=now.at, customer_id=plan.created.customer_id),)


def complete(plan: Plan, now: Moment, /) -> tuple[f.Fact, ...]:
    """Record that the onboarding is over. Refuses while an activity is open."""
    if plan.ended == ("completed", now.at):
        return ()
    _not_ended(plan)
    _since_created(plan, now.at, "completion")
    if left := now.then(plan).open():
        raise Refused("onboarding.open", f"{', '.join(left)} is neither done nor skipped by then; record what became of it first.")
    return (f.Completed(completed_at=now.at, customer_id=plan.created.customer_id),)


def abandon(plan: Plan, now: Moment, /, *, reason: str) -> tuple[f.Fact, ...]:
    """Record that the onboarding ended without being completed."""
    if plan.ended == ("abandoned", now.at):
        return ()
    _not_ended(plan)
    _since_created(plan, now.at, "abandonment")
    return (f.Abandoned(abandoned_at=now.at, customer_id=plan.created.customer_id, subject_id=now.stream, reason=reason),)


def correct_time(
    plan: Plan, now: Moment, /, *, corrects: int, was: datetime, to: datetime, reason: str, requested_by: str, approved_by: str
) -> tuple[f.Fact, ...]:
    """Record that what the fact at position `corrects` says happened at `was` happened at `to`. Needs another person's approval."""
    another(approved_by, requested_by, "this correction")
    if not isinstance(check_time(now, corrects, was, to).fact, f.PlanCreated):
        _since_created(plan, to, "fact")
    if to == was:
        return ()
    corrected = f.TimeCorrected(
        corrected_at=now.at,
        customer_id=plan.created.customer_id,
        corrects=corrects,
        was=was,
        now=to,
        requested_by=requested_by,
        approved_by=approved_by,
        subject_id=now.stream,
        reason=reason,
    )
    return (corrected,)


def _stands(plan: Plan, now: Moment, activity: str, doing: Doing) -> bool:
    """Return whether an activity stands so since then already. Refuses one that is done or skipped, and one that is not planned."""
    _going_on(plan, now, "activity")
    _known(plan, activity)
    held, since = plan.activities.get(activity, ("open", plan.created_at))
    if (held, since) == (doing, now.at):
        return True
    if held != "open" or (since > now.at and activity in plan.activities):
        words = {"done": "was done", "skipped": "was skipped", "open": "was reopened"}[held]
        raise Refused("onboarding.activity", f"{activity} {words} at {since.isoformat()}; reopen it, or correct that time if it is wrong.")
    return False


def _known(plan: Plan, activity: str) -> None:
    if activity not in plan.planned:
        raise Refused("onboarding.unplanned_activity", f"{activity} is no activity of this plan; it has {', '.join(plan.planned)}.")


def _going_on(plan: Plan, now: Moment, what: str) -> None:
    """Refuse what a plan takes only while it goes on: what happened before its end and comes late is let through."""
    _since_created(plan, now.at, what)
    if plan.ended is not None and now.at >= plan.ended[1]:
        raise Refused("onboarding.ended", f"It was {plan.ended[0]} at {plan.ended[1].isoformat()} and takes no {what}; plan another one.")


def _not_ended(plan: Plan) -> None:
    if plan.ended is not None:
        raise Refused("onboarding.ended", f"It was {plan.ended[0]} at {plan.ended[1].isoformat()} already; correct that if it is wrong.")


def _since_created(plan: Plan, at: datetime, what: str) -> None:
    if at < plan.created_at:
        raise Refused(
            "onboarding.before_plan",
            f"A {what} at {at.isoformat()} lies before the plan was made at {plan.created_at.isoformat()}; correct that time first.",
        )
