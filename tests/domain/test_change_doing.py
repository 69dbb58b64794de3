"""A change is planned, started with authority, completed or taken back, reviewed and closed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from crew import APPROVED, ASSESSED, EMERGENCY, NORMAL, READY, SELF, STANDARD, approved, completed, on, planned, rejected, spec, started

from opsledger.domain import change
from opsledger.policies.change_control import Booking, FreezeWindow
from opsledger.policies.instants import micros

ALONE: dict[str, Any] = {"others": (), "freezes": ()}
WINDOW: dict[str, Any] = {"starts_at": on("08:00", "03"), "ends_at": on("10:00", "03")}
DAYS = timedelta(days=1)


def freeze(start: str, end: str) -> FreezeWindow:
    return FreezeWindow("F-1", micros(on(start, "03")), micros(on(end, "03")))


def other(start: str, end: str, id: str = "CHG-2", ci: str = "api", assignee: str = "") -> Booking:
    return Booking(id, micros(on(start, "03")), micros(on(end, "03")), (ci,), assignee)


# Planning.


def test_a_window_is_planned_and_the_same_again_adds_nothing() -> None:
    spec.given(*READY).when(change.schedule, at=on("09:30"), **WINDOW, **ALONE).then(planned("08:00", "10:00"))
    spec.given(*READY, planned("08:00", "10:00")).when(change.schedule, at=on("09:40"), **WINDOW, **ALONE).then_nothing()


def test_another_window_says_what_was_planned_and_is_checked_anew() -> None:
    moved: dict[str, Any] = {"starts_at": on("12:00", "03"), "ends_at": on("13:00", "03")}
    found = (change.Conflict(kind="ci_already_scheduled", other_id="CHG-2"),)
    again = planned("12:00", "13:00", was_starts_at=on("08:00", "03"), was_ends_at=on("10:00", "03"), conflicts=found)
    beside: dict[str, Any] = {"others": (other("12:30", "14:00"),), "freezes": ()}
    spec.given(*READY, planned("08:00", "10:00")).when(change.schedule, at=on("09:30"), **moved, **beside).then(again)


def test_a_window_needs_a_length() -> None:
    nothing: dict[str, Any] = {"starts_at": on("08:00"), "ends_at": on("08:00")}
    spec.given(*READY).when(change.schedule, at=on("09:30"), **nothing, **ALONE).then_refused("change.window")


@pytest.mark.parametrize("first", [STANDARD, NORMAL], ids=lambda first: first.category)
@pytest.mark.parametrize(("start", "end"), [("09:59", "12:00"), ("07:00", "08:01"), ("08:30", "08:31")])
def test_a_freeze_holds_up_standard_and_normal_changes(first: change.Requested, start: str, end: str) -> None:
    held: dict[str, Any] = {"others": (), "freezes": (freeze(start, end),)}
    spec.given(first).when(change.schedule, at=on("09:30"), **WINDOW, **held).then_refused("change.frozen")


def test_a_window_that_touches_a_freeze_is_planned() -> None:
    held: dict[str, Any] = {"others": (), "freezes": (freeze("07:00", "08:00"), freeze("10:00", "12:00"))}
    spec.given(STANDARD).when(change.schedule, at=on("09:30"), **WINDOW, **held).then(planned("08:00", "10:00"))


def test_an_emergency_goes_through_a_freeze_with_a_flag() -> None:
    flagged = planned("08:00", "10:00", conflicts=(change.Conflict(kind="in_freeze", other_id="F-1"),))
    held: dict[str, Any] = {"others": (), "freezes": (freeze("09:00", "12:00"),)}
    spec.given(EMERGENCY).when(change.schedule, at=on("09:30"), **WINDOW, **held).then(flagged)


def test_conflicts_are_recorded_and_refuse_nothing() -> None:
    kinds: tuple[Any, ...] = (
        change.Conflict(kind="ci_already_scheduled", other_id="CHG-2"),
        change.Conflict(kind="not_in_maintenance_window"),
        change.Conflict(kind="assignee_already_scheduled", other_id="CHG-3"),
    )
    beside: dict[str, Any] = {"others": (other("09:59", "11:00"), other("09:00", "09:01", "CHG-3", "web", "u-7")), "freezes": ()}
    asked: dict[str, Any] = {
        **WINDOW,
        **beside,
        "maintenance": [(micros(on("08:30", "03")), micros(on("11:00", "03")))],
        "assignee_id": "u-7",
    }
    expected = planned("08:00", "10:00", assignee_id="u-7", bound_to_maintenance=True, conflicts=kinds)
    spec.given(*READY).when(change.schedule, at=on("09:30"), **asked).then(expected)


def test_what_has_begun_is_not_planned_any_more() -> None:
    spec.given(*READY, started()).when(change.schedule, at=on("10:00"), **WINDOW, **ALONE).then_refused("change.started")
    spec.given(*READY, started()).when(change.schedule, at=on("09:30"), **WINDOW, **ALONE).then(planned("08:00", "10:00"))


def test_an_audience_is_told_once_at_a_time() -> None:
    told = change.Communicated(communicated_at=on("09:40"), audience="customers", channel="email")
    spec.given(*READY).when(change.communicate, at=on("09:40"), audience="customers", channel="email").then(told)
    spec.given(*READY, told).when(change.communicate, at=on("09:40"), audience="customers").then_nothing()


# Work.


def test_an_authorised_change_starts() -> None:
    spec.given(*READY).when(change.start, at=on("10:00")).then(started())
    spec.given(*READY, started()).when(change.start, at=on("10:00")).then_nothing()
    spec.given(*READY, started()).when(change.start, at=on("10:01")).then_refused("correct that time instead")


def test_a_normal_change_needs_nobodys_approval() -> None:
    spec.given(NORMAL).when(change.start, at=on("10:00")).then(started())


def test_approval_counts_from_when_it_was_given() -> None:
    given = (STANDARD, ASSESSED, approved("10:00"))
    spec.given(*given).when(change.start, at=on("10:00")).then(started())
    spec.given(*given).when(change.start, at=on("09:59")).then_refused("it needs 1 approvals and has 0")


@pytest.mark.parametrize("role", ["engineering_manager", ""])
def test_an_emergency_needs_the_cto_and_no_other_role_will_do(role: str) -> None:
    spec.given(EMERGENCY, approved("09:20", role=role)).when(change.start, at=on("10:00")).then_refused("the approval of the role cto")
    spec.given(EMERGENCY, approved("09:20", role="cto")).when(change.start, at=on("10:00")).then(started())


def test_an_emergency_that_already_happened_is_recorded_with_the_time_for_its_approval() -> None:
    late = started(authorised=False, approve_by=on("10:00", "05"), reason="All was down")
    spec.given(EMERGENCY).when(change.start, at=on("10:00"), already_happened=True, reason="All was down").then(late)


def test_any_other_unapproved_work_is_recorded_and_may_not_be_approved_afterwards() -> None:
    spec.given(STANDARD).when(change.start, at=on("10:00"), already_happened=True).then(started(authorised=False))


def test_work_on_a_cancelled_change_that_already_happened_is_recorded() -> None:
    cancelled = change.Cancelled(cancelled_at=on("09:40"), **SELF)
    spec.given(*READY, cancelled).when(change.start, at=on("10:00"), already_happened=True).then(started())


@pytest.mark.parametrize(("outcome", "days"), [("successful", None), ("partially", 5), ("failed", 5)])
def test_what_did_not_succeed_is_reviewed_within_five_days(outcome: change.Outcome, days: int | None) -> None:
    due = None if days is None else on("11:00") + days * DAYS
    spec.given(*READY, started()).when(change.complete, at=on("11:00"), outcome=outcome).then(completed("11:00", outcome, due))


def test_an_emergency_is_reviewed_whatever_its_outcome() -> None:
    given = (EMERGENCY, approved("09:20", role="cto"), started())
    spec.given(*given).when(change.complete, at=on("11:00"), outcome="successful").then(completed(review_by=on("11:00", "07")))


def test_what_has_not_begun_has_no_outcome() -> None:
    for decision, given in ((change.complete, {"outcome": "failed"}), (change.back_out, {}), (change.verify, {"holds": True})):
        spec.given(*READY).when(decision, at=on("11:00"), **given).then_refused("change.not_started")
        spec.given(*READY, started("11:01")).when(decision, at=on("11:00"), **given).then_refused("change.not_started")


def test_the_same_outcome_again_adds_nothing_and_another_is_recorded() -> None:
    spec.given(*READY, started(), completed()).when(change.complete, at=on("11:00"), outcome="successful").then_nothing()
    worse = completed("11:00", "failed", on("11:00", "07"))
    spec.given(*READY, started(), completed()).when(change.complete, at=on("11:00"), outcome="failed").then(worse)


def test_a_completed_change_is_taken_back() -> None:
    back = change.BackedOut(backed_out_at=on("12:00"), backed_out_by="u-7", restored=False, review_by=on("12:00", "07"), **SELF)
    spec.given(*READY, started(), completed()).when(change.back_out, at=on("12:00"), restored=False).then(back)
    spec.given(*READY, started(), completed(), back).when(change.back_out, at=on("12:00")).then_nothing()


def test_somebody_verifies_that_it_holds() -> None:
    seen = change.Verified(verified_at=on("11:30"), verified_by="u-4", holds=True)
    spec.given(*READY, started(), completed()).when(change.verify, at=on("11:30"), by="u-4", holds=True).then(seen)
    spec.given(*READY, started(), completed(), seen).when(change.verify, at=on("11:30"), by="u-4", holds=True).then_nothing()


# After.


def test_a_review_follows_the_work() -> None:
    held = change.Reviewed(reviewed_at=on("14:00"), reviewed_by="u-7", achieved=True, **SELF)
    spec.given(*READY, started()).when(change.review, at=on("14:00"), achieved=True).then_refused("change.not_over")
    spec.given(*READY, started(), completed()).when(change.review, at=on("14:00"), achieved=True).then(held)
    spec.given(*READY, started(), completed(), held).when(change.review, at=on("14:00")).then_nothing()


def test_a_change_is_closed_when_all_that_is_asked_for_is_there() -> None:
    over, failed = (*READY, started(), completed()), (*READY, started(), completed("11:00", "failed", on("11:00", "07")))
    held = change.Reviewed(reviewed_at=on("14:00"), reviewed_by="u-7", **SELF)
    spec.given(*over).when(change.close, at=on("15:00")).then(change.Closed(closed_at=on("15:00")))
    spec.given(*over, change.Closed(closed_at=on("15:00"))).when(change.close, at=on("16:00")).then_nothing()
    spec.given(*READY, started()).when(change.close, at=on("15:00")).then_refused("change.not_over")
    spec.given(*failed).when(change.close, at=on("15:00")).then_refused("change.unreviewed")
    spec.given(*failed, held).when(change.close, at=on("15:00")).then(change.Closed(closed_at=on("15:00")))


def test_unapproved_work_is_closed_once_somebody_has_said_yes_or_no_to_it() -> None:
    given = (STANDARD, ASSESSED, started(authorised=False), completed())
    spec.given(*given).when(change.close, at=on("15:00")).then_refused("Approve it afterwards, or reject it")
    spec.given(*given, APPROVED).when(change.close, at=on("15:00")).then(change.Closed(closed_at=on("15:00")))
    spec.given(*given, rejected("13:00")).when(change.close, at=on("15:00")).then(change.Closed(closed_at=on("15:00")))


def test_a_closed_change_takes_what_happened_before_and_nothing_after() -> None:
    given = (*READY, started(), completed(), change.Closed(closed_at=on("15:00")))
    spec.given(*given).when(change.approve, at=on("15:00"), by="u-4").then_refused("change.closed")
    spec.given(*given).when(change.approve, at=on("14:59"), by="u-4", in_role="manager").then(approved("14:59", "u-4"))


# Corrections.


def corrected(**given: Any) -> dict[str, Any]:
    people = {"requested_by": "u-7", "approved_by": "u-8", "reason": "The log says so"}
    return {"corrects": spec.known.position + 4, "was": on("10:00"), "to": on("09:15"), **people, **given}


def test_a_time_is_corrected_by_two_people() -> None:
    moved = change.TimeCorrected(corrected_at=on("16:00"), milestone="started", now=on("09:15"), **SELF, **_stored(corrected()))
    spec.given(*READY, started()).when(change.correct_time, at=on("16:00"), **corrected()).then(moved)
    spec.given(*READY, started()).when(change.correct_time, at=on("16:00"), **corrected(to=on("10:00"))).then_nothing()
    again = spec.given(*READY, started(), moved)
    again.when(change.correct_time, at=on("16:00"), **corrected()).then_refused("does not say")
    again.when(change.start, at=on("09:16")).then_refused("began at 2026-03-02T09:15")
    again.when(change.correct_time, at=on("16:00"), **corrected(corrects=spec.known.position + 5)).then_refused("is a correction itself")


def _stored(asked: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in asked.items() if name != "to"}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"approved_by": "u-7"}, "approval.same_person"),
        ({"was": on("10:01")}, "does not say"),
        ({"to": on("17:00")}, "has not come yet"),
        ({"corrects": 1}, "is no fact of change:CHG-1"),
    ],
)
def test_a_correction_that_does_not_fit_is_refused(given: dict[str, Any], sentence: str) -> None:
    spec.given(*READY, started()).when(change.correct_time, at=on("16:00"), **corrected(**given)).then_refused(sentence)
