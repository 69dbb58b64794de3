"""Onboarding plans: activities done, skipped and reopened, go-live moved, and how it ends."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from opsledger.domain import onboarding as o
from opsledger.testing import Spec, at

MARCH_1, MARCH_5, MARCH_9 = at("2026-03-01T09:00:00Z"), at("2026-03-05T09:00:00Z"), at("2026-03-09T09:00:00Z")
EARLIER, LATER = at("2026-02-28T09:00:00Z"), at("2026-05-20T09:00:00Z")
PEOPLE = {"requested_by": "u-7", "approved_by": "u-8", "reason": "The calendar says so"}

plan = Spec("onboarding:O-1")
ASKED: dict[str, Any] = {"customer_id": "C-7", "go_live_on": date(2026, 3, 16), "subscription_id": "S-1", "contract_signed_at": EARLIER}
(CREATED,) = plan.when(o.create, at=MARCH_1, **ASKED).facts
ALL = tuple(activity for phase in CREATED.phases for activity in phase.activities)


def done(activity: str, when: Any = MARCH_5) -> o.ActivityCompleted:
    return o.ActivityCompleted(completed_at=when, customer_id="C-7", activity=activity)


def skipped(activity: str, when: Any = MARCH_5) -> o.ActivitySkipped:
    return o.ActivitySkipped(
        skipped_at=when, customer_id="C-7", activity=activity, reason="not_needed", subject_id="onboarding:O-1", note=None
    )


def reopened(activity: str, when: Any = MARCH_9) -> o.ActivityReopened:
    return o.ActivityReopened(reopened_at=when, customer_id="C-7", activity=activity, subject_id="onboarding:O-1", reason="It broke")


def test_a_plan_has_the_four_phases_and_sixteen_activities_of_the_operating_model() -> None:
    assert [(phase.phase, phase.from_day, phase.until_day) for phase in CREATED.phases] == [
        ("pre_onboarding", -14, 0),
        ("initial_setup", 0, 7),
        ("adoption", 7, 28),
        ("optimization", 28, 56),
    ]
    assert [len(phase.activities) for phase in CREATED.phases] == [4, 4, 4, 4]
    assert (CREATED.policy, CREATED.first_value_needs) == (plan.policy, ("first_case_setup",))


def test_a_plan_is_made_once() -> None:
    plan.given(CREATED).when(o.create, at=MARCH_1, **ASKED).then_refused("is planned already")


def test_go_live_is_moved_and_said_late() -> None:
    moved = o.GoLiveChanged(
        changed_at=MARCH_9, customer_id="C-7", go_live_on=date(2026, 3, 30), subject_id="onboarding:O-1", reason="Data is late"
    )
    asked: dict[str, Any] = {"go_live_on": date(2026, 3, 30), "reason": "Data is late"}
    plan.given(CREATED).when(o.change_go_live, at=MARCH_9, **asked).then(moved)
    plan.given(CREATED, moved).when(o.change_go_live, at=MARCH_9, **asked).then_nothing()
    (late,) = plan.given(CREATED, moved).when(o.change_go_live, at=MARCH_5, go_live_on=date(2026, 3, 20), reason="Holidays").facts
    assert (late.changed_at, late.go_live_on) == (MARCH_5, date(2026, 3, 20))
    plan.given(CREATED, moved, late).when(o.change_go_live, at=LATER, **asked).then_nothing()


def test_an_activity_is_done_once_in_any_order() -> None:
    plan.given(CREATED).when(o.complete_activity, at=MARCH_5, activity="success_milestone").then(done("success_milestone"))
    plan.given(CREATED, done("welcome_call")).when(o.complete_activity, at=MARCH_5, activity="welcome_call").then_nothing()
    plan.given(CREATED, done("welcome_call")).when(o.complete_activity, at=MARCH_9, activity="welcome_call").then_refused("was done")
    plan.given(CREATED).when(o.complete_activity, at=MARCH_5, activity="lunch").then_refused("no activity of this plan")


def test_an_activity_is_skipped_with_a_reason_unless_it_is_done() -> None:
    plan.given(CREATED).when(o.skip_activity, at=MARCH_5, activity="welcome_call", reason="not_needed").then(skipped("welcome_call"))
    known = plan.given(CREATED, skipped("welcome_call"))
    known.when(o.skip_activity, at=MARCH_5, activity="welcome_call", reason="not_needed").then_nothing()
    known.when(o.complete_activity, at=MARCH_9, activity="welcome_call").then_refused("was skipped")
    plan.given(CREATED, done("welcome_call")).when(o.skip_activity, at=MARCH_9, activity="welcome_call", reason="declined").then_refused(
        "was done"
    )


def test_what_was_done_is_reopened_and_done_again() -> None:
    given = plan.given(CREATED, done("welcome_call"))
    given.when(o.reopen_activity, at=MARCH_9, activity="welcome_call", reason="It broke").then(reopened("welcome_call"))
    plan.given(CREATED).when(o.reopen_activity, at=MARCH_9, activity="welcome_call", reason="It broke").then_nothing()
    plan.given(CREATED).when(o.reopen_activity, at=MARCH_9, activity="lunch", reason="It broke").then_refused("no activity")
    again = plan.given(CREATED, done("welcome_call"), reopened("welcome_call"))
    again.when(o.complete_activity, at=LATER, activity="welcome_call").then(done("welcome_call", LATER))
    again.when(o.complete_activity, at=at("2026-03-07"), activity="welcome_call").then_refused("was reopened")


def test_an_activity_done_earlier_and_typed_in_late_is_recorded() -> None:
    plan.given(CREATED, done("training_schedule", MARCH_9)).when(o.complete_activity, at=MARCH_5, activity="welcome_call").then(
        done("welcome_call", MARCH_5)
    )
    completed = o.Completed(completed_at=LATER, customer_id="C-7")
    plan.given(CREATED, completed).when(o.complete_activity, at=MARCH_5, activity="welcome_call").then(done("welcome_call", MARCH_5))


def test_a_first_value_needs_the_first_case_to_be_set_up() -> None:
    reached = o.FirstValueReached(reached_at=MARCH_9, customer_id="C-7", case_id="K-1")
    ready = plan.given(CREATED, done("first_case_setup", MARCH_9))
    ready.when(o.reach_first_value, at=MARCH_9, case_id="K-1").then(reached)
    ready.when(o.reach_first_value, at=MARCH_9 - timedelta(microseconds=1)).then_refused("first_case_setup was not done")
    plan.given(CREATED).when(o.reach_first_value, at=MARCH_9).then_refused("first_case_setup was not done")
    plan.given(CREATED, skipped("first_case_setup")).when(o.reach_first_value, at=MARCH_9, case_id="K-1").then(reached)
    plan.given(CREATED, done("first_case_setup"), reached).when(o.reach_first_value, at=MARCH_9).then_nothing()
    plan.given(CREATED, done("first_case_setup"), reached).when(o.reach_first_value, at=LATER).then_refused("was reached at")


def test_it_stalls_and_goes_on() -> None:
    stalled = o.Stalled(stalled_at=MARCH_5, customer_id="C-7", waits_for="customer", subject_id="onboarding:O-1", note=None)
    resumed = o.Resumed(resumed_at=MARCH_9, customer_id="C-7")
    plan.given(CREATED).when(o.stall, at=MARCH_5, waits_for="customer").then(stalled)
    plan.given(CREATED, stalled).when(o.stall, at=MARCH_9, waits_for="customer").then_nothing()
    (other,) = plan.given(CREATED, stalled).when(o.stall, at=MARCH_9, waits_for="us").facts
    assert other.waits_for == "us"
    plan.given(CREATED, stalled).when(o.resume, at=MARCH_9).then(resumed)
    plan.given(CREATED).when(o.resume, at=MARCH_9).then_nothing()
    plan.given(CREATED, stalled, resumed).when(o.resume, at=LATER).then_nothing()
    plan.given(CREATED, resumed).when(o.stall, at=MARCH_5, waits_for="customer").then(stalled)


EVERYTHING = (CREATED, *(done(activity) for activity in ALL))
COMPLETED, ABANDONED = (
    o.Completed(completed_at=LATER, customer_id="C-7"),
    o.Abandoned(abandoned_at=MARCH_9, customer_id="C-7", subject_id="onboarding:O-1", reason="They left"),
)


def test_it_is_completed_when_nothing_is_open() -> None:
    plan.given(*EVERYTHING).when(o.complete, at=LATER).then(COMPLETED)
    plan.given(CREATED, *(skipped(activity) for activity in ALL)).when(o.complete, at=LATER).then(COMPLETED)
    plan.given(*EVERYTHING, COMPLETED).when(o.complete, at=LATER).then_nothing()
    plan.given(*EVERYTHING[:-1]).when(o.complete, at=LATER).then_refused("success_milestone is neither done nor skipped")
    plan.given(*EVERYTHING).when(o.complete, at=MARCH_5 - timedelta(seconds=1)).then_refused("neither done nor skipped")


def test_it_is_abandoned_and_then_takes_nothing_more() -> None:
    plan.given(CREATED).when(o.abandon, at=MARCH_9, reason="They left").then(ABANDONED)
    ended = plan.given(CREATED, ABANDONED)
    ended.when(o.abandon, at=MARCH_9, reason="They left").then_nothing()
    ended.when(o.abandon, at=LATER, reason="They left").then_refused("was abandoned at")
    ended.when(o.complete, at=LATER).then_refused("was abandoned at")
    for decision, arguments in (
        (o.complete_activity, {"activity": "welcome_call"}),
        (o.reopen_activity, {"activity": "welcome_call", "reason": "It broke"}),
        (o.change_go_live, {"go_live_on": date(2026, 4, 1), "reason": "Holidays"}),
        (o.stall, {"waits_for": "us"}),
        (o.resume, {}),
    ):
        ended.when(decision, at=MARCH_9, **arguments).then_refused("plan another one")


@pytest.mark.parametrize(
    ("decision", "arguments"),
    [
        (o.complete_activity, {"activity": "welcome_call"}),
        (o.skip_activity, {"activity": "welcome_call", "reason": "declined"}),
        (o.change_go_live, {"go_live_on": date(2026, 4, 1), "reason": "Holidays"}),
        (o.reach_first_value, {}),
        (o.stall, {"waits_for": "us"}),
        (o.complete, {}),
        (o.abandon, {"reason": "They left"}),
    ],
)
def test_nothing_happens_before_the_plan_is_made(decision: Any, arguments: dict[str, Any]) -> None:
    plan.given(CREATED).when(decision, at=EARLIER, **arguments).then_refused("before the plan was made")


POSITION = plan.known.position + 2
CORRECTION: dict[str, Any] = {"corrects": POSITION, "was": MARCH_5, "to": MARCH_1, **PEOPLE}


def test_a_time_is_corrected_by_two_people_and_the_activity_follows() -> None:
    given = (CREATED, done("welcome_call"))
    (corrected,) = plan.given(*given).when(o.correct_time, at=MARCH_9, **CORRECTION).facts
    assert (corrected.was, corrected.now, corrected.customer_id) == (MARCH_5, MARCH_1, "C-7")
    plan.given(*given, corrected).when(o.complete_activity, at=MARCH_1, activity="welcome_call").then_nothing()
    plan.given(*given, corrected).when(o.correct_time, at=MARCH_9, **CORRECTION).then_refused("is known to say")
    plan.given(*given, corrected).when(o.correct_time, at=MARCH_9, **{**CORRECTION, "was": MARCH_1}).then_nothing()


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({"approved_by": "u-7"}, "name another approver"),
        ({"was": MARCH_9}, "is known to say"),
        ({"to": MARCH_9 + timedelta(seconds=1)}, "has not come yet"),
        ({"to": EARLIER}, "before the plan was made"),
    ],
)
def test_what_is_no_correction_of_a_time_is_refused(changed: dict[str, Any], refusal: str) -> None:
    plan.given(CREATED, done("welcome_call")).when(o.correct_time, at=MARCH_9, **{**CORRECTION, **changed}).then_refused(refusal)


def test_a_corrected_end_moves_what_it_ends() -> None:
    asked = {"corrects": plan.known.position + 2, "was": MARCH_9, "to": MARCH_5, **PEOPLE}
    (corrected,) = plan.given(CREATED, ABANDONED).when(o.correct_time, at=LATER, **asked).facts
    at_seven = {"at": at("2026-03-07"), "activity": "welcome_call"}
    plan.given(CREATED, ABANDONED, corrected).when(o.complete_activity, **at_seven).then_refused("plan another one")
