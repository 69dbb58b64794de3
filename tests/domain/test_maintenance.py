"""Maintenance windows: planned, told, moved, done, called off; emergencies; times put right."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from opsledger.domain import maintenance
from opsledger.policies.zones import VERSION
from opsledger.testing import Spec, at

M = "maintenance:M-7"
spec = Spec(M)
MONDAY = at("2026-01-05T00:00:00Z")
TUESDAY = at("2026-01-06T00:00:00Z")
SATURDAY = at("2026-01-10T12:00:00Z")
SEVEN = at("2026-01-11T07:00:00Z")  # Sunday, 02:00 in New York
EIGHT = at("2026-01-11T08:00:00Z")
ELEVEN = at("2026-01-11T11:00:00Z")
NOON = at("2026-01-11T12:00:00Z")
WEEK_LATER = {"start_at": at("2026-01-18T07:00:00Z"), "end_at": at("2026-01-18T11:00:00Z")}
ASKED: dict[str, Any] = {"services": ("platform",), "start_at": SEVEN, "end_at": ELEVEN, "title": "New disks", "change_id": "CH-3"}


def slot(day: str) -> maintenance.Slot:
    begins_at, ends_at = at(f"{day}T07:00:00Z"), at(f"{day}T11:00:00Z")
    return maintenance.Slot(day=date.fromisoformat(day), begins_at=begins_at, ends_at=ends_at, zone="America/New_York", tzdata=VERSION)


def scheduled(kind: maintenance.Kind = "planned") -> maintenance.Scheduled:
    return maintenance.Scheduled(
        scheduled_at=MONDAY,
        kind=kind,
        services=("platform",),
        start_at=SEVEN,
        end_at=ELEVEN,
        slot=slot("2026-01-11"),
        policy=spec.policy,
        requested_by="u-7",
        change_id="CH-3",
        subject_id=M,
        title="New disks",
    )


SCHEDULED = scheduled()
NOTIFIED = maintenance.Notified(sent_at=TUESDAY, audience="customers", channel="email", start_at=SEVEN, end_at=ELEVEN)
STARTED = maintenance.Started(started_at=SEVEN)
COMPLETED = maintenance.Completed(completed_at=ELEVEN)
CANCELLED = maintenance.Cancelled(cancelled_at=SATURDAY, subject_id=M, reason="No disks")
FIRST = spec.known.position + 1  # position of the first fact given


# Planning.


def test_a_window_is_scheduled_with_its_slot_and_the_rules_that_will_judge_it() -> None:
    spec.when(maintenance.schedule, at=MONDAY, **ASKED).then(SCHEDULED)


def test_a_service_named_twice_is_one_service() -> None:
    twice = {**ASKED, "services": ("platform", "api", "platform")}
    assert spec.when(maintenance.schedule, at=MONDAY, **twice).facts[0].services == ("platform", "api")


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [({"services": ()}, "name them"), ({"end_at": SEVEN}, "does not run forwards"), ({"end_at": MONDAY}, "does not run forwards")],
)
def test_what_is_no_window_is_refused(changed: dict[str, Any], refusal: str) -> None:
    spec.when(maintenance.schedule, at=MONDAY, **{**ASKED, **changed}).then_refused(refusal)


def test_a_window_is_scheduled_once_and_before_anything_else_is_said_of_it() -> None:
    spec.given(SCHEDULED).when(maintenance.schedule, at=MONDAY, **ASKED).then_refused("reschedule it")
    spec.when(maintenance.start, at=SEVEN).then_refused("stream.unknown")
    with pytest.raises(Exception, match="begins with being scheduled, not with Started"):
        maintenance.evolve(None, STARTED)


def test_a_window_that_breaks_the_rules_is_recorded_and_judged_afterwards() -> None:
    monday = {**ASKED, "start_at": at("2026-01-12T12:00:00Z"), "end_at": at("2026-01-13T12:00:00Z")}
    assert len(spec.when(maintenance.schedule, at=MONDAY, **monday).facts) == 1


# Telling.


def test_a_notice_says_what_was_planned_when_it_was_sent() -> None:
    spec.given(SCHEDULED).when(maintenance.notify, at=TUESDAY, audience="customers", channel="email").then(NOTIFIED)
    moved = maintenance.Rescheduled(rescheduled_at=SATURDAY, **WEEK_LATER, slot=slot("2026-01-18"), subject_id=M)
    late = spec.given(SCHEDULED, moved).when(maintenance.notify, at=TUESDAY, audience="customers", channel="email")
    late.then(NOTIFIED)
    new = spec.given(SCHEDULED, moved).when(maintenance.notify, at=EIGHT, audience="customers", channel="email")
    assert new.facts[0].start_at == WEEK_LATER["start_at"]


def test_the_same_notice_again_adds_nothing_and_another_channel_does() -> None:
    given = spec.given(SCHEDULED, NOTIFIED)
    given.when(maintenance.notify, at=TUESDAY, audience="customers", channel="email").then_nothing()
    assert len(given.when(maintenance.notify, at=TUESDAY, audience="customers", channel="banner").facts) == 1
    assert len(given.when(maintenance.notify, at=SATURDAY, audience="customers", channel="email").facts) == 1


def test_nobody_is_told_of_a_window_before_it_was_scheduled_or_after_it_was_cancelled() -> None:
    told = {"audience": "customers", "channel": "email"}
    spec.given(SCHEDULED).when(maintenance.notify, at=at("2026-01-04T23:59:59Z"), **told).then_refused("correct that time first")
    spec.given(SCHEDULED, CANCELLED).when(maintenance.notify, at=SATURDAY, **told).then_refused("schedule another one")
    spec.given(SCHEDULED, CANCELLED).when(maintenance.notify, at=TUESDAY, **told).then(NOTIFIED)


def test_an_audience_is_told_once_an_instant_how_the_work_stands_also_afterwards() -> None:
    told = maintenance.StatusPublished(published_at=NOON, audience="public", subject_id=M, message="Done")
    given = spec.given(SCHEDULED, STARTED, COMPLETED)
    given.when(maintenance.publish_status, at=NOON, audience="public", message="Done").then(told)
    spec.given(SCHEDULED, told).when(maintenance.publish_status, at=NOON, audience="public", message="Done").then_nothing()


# Moving.


def test_a_window_is_moved_before_work_begins() -> None:
    moved = maintenance.Rescheduled(rescheduled_at=SATURDAY, **WEEK_LATER, slot=slot("2026-01-18"), subject_id=M, reason="Late disks")
    spec.given(SCHEDULED).when(maintenance.reschedule, at=SATURDAY, **WEEK_LATER, reason="Late disks").then(moved)
    spec.given(SCHEDULED, moved).when(maintenance.reschedule, at=EIGHT, **WEEK_LATER).then_nothing()
    spec.given(SCHEDULED, STARTED).when(maintenance.reschedule, at=SEVEN, **WEEK_LATER).then_refused("an overrun")
    spec.given(SCHEDULED, CANCELLED).when(maintenance.reschedule, at=EIGHT, **WEEK_LATER).then_refused("schedule another one")


def test_a_move_typed_in_late_does_not_undo_the_move_after_it() -> None:
    last = maintenance.Rescheduled(rescheduled_at=SATURDAY, **WEEK_LATER, slot=slot("2026-01-18"), subject_id=M)
    earlier = {"start_at": at("2026-01-12T07:00:00Z"), "end_at": at("2026-01-12T08:00:00Z")}
    facts = spec.given(SCHEDULED, last).when(maintenance.reschedule, at=TUESDAY, **earlier).facts
    assert len(facts) == 1
    spec.given(SCHEDULED, last, *facts).when(maintenance.reschedule, at=EIGHT, **WEEK_LATER).then_nothing()


# Working.


def test_work_is_started_and_completed_once() -> None:
    spec.given(SCHEDULED).when(maintenance.start, at=SEVEN).then(STARTED)
    spec.given(SCHEDULED, STARTED).when(maintenance.start, at=SEVEN).then_nothing()
    spec.given(SCHEDULED, STARTED).when(maintenance.start, at=EIGHT).then_refused("correct that time")
    spec.given(SCHEDULED, STARTED).when(maintenance.complete, at=ELEVEN).then(COMPLETED)
    spec.given(SCHEDULED, STARTED, COMPLETED).when(maintenance.complete, at=ELEVEN).then_nothing()
    spec.given(SCHEDULED, STARTED, COMPLETED).when(maintenance.complete, at=NOON).then_refused("correct that time")


def test_work_ends_after_it_began() -> None:
    spec.given(SCHEDULED).when(maintenance.complete, at=ELEVEN).then_refused("record its start first")
    spec.given(SCHEDULED, STARTED).when(maintenance.complete, at=SATURDAY).then_refused("record its start first")


def test_a_window_is_cancelled_before_work_and_not_after() -> None:
    spec.given(SCHEDULED).when(maintenance.cancel, at=SATURDAY, reason="No disks").then(CANCELLED)
    spec.given(SCHEDULED, CANCELLED).when(maintenance.cancel, at=SATURDAY).then_nothing()
    spec.given(SCHEDULED, CANCELLED).when(maintenance.start, at=SEVEN).then_refused("schedule another one")
    spec.given(SCHEDULED, STARTED).when(maintenance.cancel, at=EIGHT).then_refused("complete it")
    spec.given(SCHEDULED, STARTED).when(maintenance.cancel, at=SATURDAY, reason="No disks").then(CANCELLED)


# Emergencies.

EMERGENCY = scheduled("emergency")
APPROVED = maintenance.EmergencyApproved(approved_at=SATURDAY, requested_by="u-7", approved_by="u-1", approver_role="cto")


def test_an_emergency_is_approved_by_another_person_in_the_role_that_the_policy_names() -> None:
    given = spec.given(EMERGENCY)
    given.when(maintenance.approve_emergency, at=SATURDAY, by="u-1", in_role="cto").then(APPROVED)
    given.when(maintenance.approve_emergency, at=SATURDAY, by="u-1", in_role="sre").then_refused("in the role cto, not sre")
    given.when(maintenance.approve_emergency, at=SATURDAY, by="u-7", in_role="cto").then_refused("name another approver")
    spec.given(SCHEDULED).when(maintenance.approve_emergency, at=SATURDAY, by="u-1", in_role="cto").then_refused("needs no approval")


def test_the_first_approval_counts_and_one_afterwards_is_recorded() -> None:
    spec.given(EMERGENCY, APPROVED).when(maintenance.approve_emergency, at=EIGHT, by="u-2", in_role="cto").then_nothing()
    late = spec.given(EMERGENCY, STARTED, COMPLETED).when(maintenance.approve_emergency, at=NOON, by="u-1", in_role="cto")
    assert [fact.approved_at for fact in late.facts] == [NOON]
    earlier = spec.given(EMERGENCY, APPROVED).when(maintenance.approve_emergency, at=TUESDAY, by="u-2", in_role="cto")
    assert [fact.approved_at for fact in earlier.facts] == [TUESDAY]


# Corrections.

PEOPLE = {"requested_by": "u-7", "approved_by": "u-8", "reason": "The log says so"}
CORRECTION: dict[str, Any] = {"corrects": FIRST + 1, "was": SEVEN, "to": EIGHT, **PEOPLE}
CORRECTED = maintenance.TimeCorrected(corrected_at=NOON, corrects=FIRST + 1, what="started", was=SEVEN, now=EIGHT, subject_id=M, **PEOPLE)


def test_a_time_is_corrected_with_both_values_and_two_people() -> None:
    spec.given(SCHEDULED, STARTED).when(maintenance.correct_time, at=NOON, **CORRECTION).then(CORRECTED)
    spec.given(SCHEDULED, STARTED, CORRECTED).when(maintenance.start, at=EIGHT).then_nothing()
    again = {**CORRECTION, "was": EIGHT, "to": SEVEN}
    assert len(spec.given(SCHEDULED, STARTED, CORRECTED).when(maintenance.correct_time, at=NOON, **again).facts) == 1
    spec.given(SCHEDULED, STARTED).when(maintenance.correct_time, at=NOON, **{**CORRECTION, "to": SEVEN}).then_nothing()


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({"approved_by": "u-7"}, "name another approver"),
        ({"was": SEVEN}, "does not say"),
        ({"to": at("2026-01-11T12:00:01Z")}, "has not come yet"),
        ({"to": at("2026-01-04T12:00:00Z")}, "lies before the window was scheduled"),
        ({"corrects": 999}, "is no fact of maintenance:M-7"),
        ({"corrects": FIRST + 2}, "is a correction itself"),
    ],
)
def test_what_is_no_correction_is_refused(changed: dict[str, Any], refusal: str) -> None:
    given = spec.given(SCHEDULED, STARTED, CORRECTED)
    given.when(maintenance.correct_time, at=NOON, **{**CORRECTION, "was": EIGHT, **changed}).then_refused(refusal)


def test_the_time_of_scheduling_is_corrected_so_that_an_earlier_notice_can_be_recorded() -> None:
    sunday = at("2026-01-04T00:00:00Z")
    change = {"corrects": FIRST, "was": MONDAY, "to": sunday, **PEOPLE}
    facts = spec.given(SCHEDULED).when(maintenance.correct_time, at=NOON, **change).facts
    told = spec.given(SCHEDULED, *facts).when(maintenance.notify, at=sunday, audience="customers", channel="email")
    assert len(told.facts) == 1
