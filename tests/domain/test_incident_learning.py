"""Decisions after an incident, and on its record."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from opsledger.domain import incident
from opsledger.testing import Spec, at

INC = "incident:INC-7"
spec = Spec(INC)
TEN = at("2026-03-02T10:00:00Z")
FOUR_PAST = at("2026-03-02T10:04:00Z")
HALF_PAST = at("2026-03-02T10:30:00Z")
ELEVEN = at("2026-03-02T11:00:00Z")
NOON = at("2026-03-02T12:00:00Z")
NEXT_DAY = at("2026-03-03T09:00:00Z")
NEXT_WEEK = at("2026-03-09T09:00:00Z")
DECLARED = incident.Declared(
    declared_at=FOUR_PAST,
    detection_source="monitoring",
    severity="high",
    detected_at=FOUR_PAST,
    impact_started_at=TEN,
    subject_id=INC,
    title="The API is down",
)
RESOLVED = incident.Resolved(resolved_at=ELEVEN, subject_id=INC)
FIRST = spec.known.position + 1  # position of the declaration
SECOND = FIRST + 1
OPENED = incident.ActionItemOpened(
    opened_at=NOON, item_id="A-1", owner_id="p-1", due_at=NEXT_WEEK, subject_id=INC, description="Watch the index"
)
ASKED: dict[str, Any] = {"item_id": "A-1", "owner_id": "p-1", "due_at": NEXT_WEEK, "description": "Watch the index"}
COMPLETED = incident.ActionItemCompleted(completed_at=NEXT_DAY, item_id="A-1")
DROPPED = incident.ActionItemDropped(dropped_at=NEXT_DAY, item_id="A-1", subject_id=INC)


# Review and action items.


def test_a_review_is_held_after_the_resolution_once_for_an_instant() -> None:
    held = incident.ReviewHeld(held_at=NEXT_DAY, participants=("p-1", "p-2"), document_id="D-9", subject_id=INC, findings="No alarm")
    told: dict[str, Any] = {"participants": ("p-1", "p-2"), "document_id": "D-9", "findings": "No alarm"}
    spec.given(DECLARED, RESOLVED).when(incident.hold_review, at=NEXT_DAY, **told).then(held)
    spec.given(DECLARED, RESOLVED, held).when(incident.hold_review, at=NEXT_DAY, **told).then_nothing()


def test_an_open_incident_has_no_review_yet_but_one_of_an_earlier_resolution() -> None:
    reopened = incident.Reopened(reopened_at=NEXT_DAY, subject_id=INC)
    spec.given(DECLARED).when(incident.hold_review, at=NEXT_DAY).then_refused("resolve it first")
    spec.given(DECLARED, RESOLVED, reopened).when(incident.hold_review, at=NEXT_DAY).then_refused("resolve it first")
    late = incident.ReviewHeld(held_at=NOON, subject_id=INC)
    spec.given(DECLARED, RESOLVED, reopened).when(incident.hold_review, at=NOON).then(late)


def test_an_action_item_is_opened_once() -> None:
    spec.given(DECLARED).when(incident.open_action_item, at=NOON, **ASKED).then(OPENED)
    spec.given(DECLARED, OPENED).when(incident.open_action_item, at=NOON, **ASKED).then_nothing()
    spec.given(DECLARED, OPENED).when(incident.open_action_item, at=NOON, **{**ASKED, "owner_id": "p-2"}).then_refused("another id")


def test_an_action_item_asked_for_earlier_is_opened_late() -> None:
    early = incident.ActionItemOpened(opened_at=HALF_PAST, item_id="A-2", subject_id=INC, description="Add an alarm")
    given = spec.given(DECLARED, RESOLVED, OPENED)
    given.when(incident.open_action_item, at=HALF_PAST, item_id="A-2", description="Add an alarm").then(early)


def test_an_action_item_is_completed_once() -> None:
    spec.given(DECLARED, OPENED).when(incident.complete_action_item, at=NEXT_DAY, item_id="A-1").then(COMPLETED)
    spec.given(DECLARED, OPENED, COMPLETED).when(incident.complete_action_item, at=NEXT_WEEK, item_id="A-1").then_nothing()


def test_an_action_item_is_dropped_once_with_a_reason() -> None:
    told = incident.ActionItemDropped(dropped_at=NEXT_DAY, item_id="A-1", subject_id=INC, reason="The service is gone")
    spec.given(DECLARED, OPENED).when(incident.drop_action_item, at=NEXT_DAY, item_id="A-1", reason="The service is gone").then(told)
    spec.given(DECLARED, OPENED, told).when(incident.drop_action_item, at=NEXT_DAY, item_id="A-1").then_nothing()


def test_an_action_item_has_one_end() -> None:
    spec.given(DECLARED, OPENED, DROPPED).when(incident.complete_action_item, at=NEXT_DAY, item_id="A-1").then_refused("was dropped")
    spec.given(DECLARED, OPENED, COMPLETED).when(incident.drop_action_item, at=NEXT_DAY, item_id="A-1").then_refused("was completed")


def test_an_action_item_that_is_not_open_has_no_end() -> None:
    spec.given(DECLARED).when(incident.complete_action_item, at=NEXT_DAY, item_id="A-1").then_refused("open it first")
    spec.given(DECLARED).when(incident.drop_action_item, at=NEXT_DAY, item_id="A-1").then_refused("open it first")


def test_an_action_item_that_was_done_before_it_was_dropped_is_completed_late() -> None:
    late = incident.ActionItemCompleted(completed_at=NOON, item_id="A-1")
    spec.given(DECLARED, OPENED, DROPPED).when(incident.complete_action_item, at=NOON, item_id="A-1").then(late)
    early = incident.ActionItemDropped(dropped_at=NOON, item_id="A-1", subject_id=INC)
    spec.given(DECLARED, OPENED, COMPLETED).when(incident.drop_action_item, at=NOON, item_id="A-1").then(early)


# Corrections.


def asked(corrects: int, milestone: str, was: datetime, to: datetime, **other: str) -> dict[str, Any]:
    people = {"reason": "The log says so", "requested_by": "u-7", "approved_by": "u-8"}
    return {"corrects": corrects, "milestone": milestone, "was": was, "to": to, **people, **other}


def corrected(corrects: int, milestone: str, was: datetime, to: datetime) -> incident.MilestoneCorrected:
    return incident.MilestoneCorrected(
        corrected_at=NEXT_DAY,
        corrects=corrects,
        milestone=milestone,
        was=was,
        now=to,
        requested_by="u-7",
        approved_by="u-8",
        subject_id=INC,
        reason="The log says so",
    )


@pytest.mark.parametrize(
    ("corrects", "milestone", "was"),
    [(FIRST, "declared", FOUR_PAST), (FIRST, "detected", FOUR_PAST), (FIRST, "impact_started", TEN), (SECOND, "resolved", ELEVEN)],
)
def test_a_milestone_is_corrected_with_two_people(corrects: int, milestone: str, was: datetime) -> None:
    given = spec.given(DECLARED, RESOLVED)
    given.when(incident.correct_milestone, at=NEXT_DAY, **asked(corrects, milestone, was, HALF_PAST)).then(
        corrected(corrects, milestone, was, HALF_PAST)
    )


def test_nobody_approves_a_correction_of_their_own() -> None:
    question = asked(SECOND, "resolved", ELEVEN, HALF_PAST, approved_by="u-7")
    spec.given(DECLARED, RESOLVED).when(incident.correct_milestone, at=NEXT_DAY, **question).then_refused("name another approver")


def test_a_correction_to_what_is_said_already_adds_nothing() -> None:
    given = spec.given(DECLARED, RESOLVED)
    given.when(incident.correct_milestone, at=NEXT_DAY, **asked(SECOND, "resolved", ELEVEN, ELEVEN)).then_nothing()


@pytest.mark.parametrize(("milestone", "corrects", "was"), [("resolved", SECOND, ELEVEN), ("impact_started", FIRST, TEN)])
def test_a_second_correction_names_what_the_first_one_said(milestone: str, corrects: int, was: datetime) -> None:
    given = spec.given(DECLARED, RESOLVED, corrected(corrects, milestone, was, HALF_PAST))
    given.when(incident.correct_milestone, at=NEXT_DAY, **asked(corrects, milestone, was, FOUR_PAST)).then_refused("does not say")
    given.when(incident.correct_milestone, at=NEXT_DAY, **asked(corrects, milestone, HALF_PAST, FOUR_PAST)).then(
        corrected(corrects, milestone, HALF_PAST, FOUR_PAST)
    )


def test_a_correction_does_not_lie_ahead() -> None:
    given = spec.given(DECLARED, RESOLVED)
    given.when(incident.correct_milestone, at=NOON, **asked(SECOND, "resolved", ELEVEN, NEXT_DAY)).then_refused("has not come yet")
    assert len(given.when(incident.correct_milestone, at=NOON, **asked(SECOND, "resolved", ELEVEN, NOON)).facts) == 1


def test_a_correction_names_a_fact_of_the_incident_and_a_milestone_that_it_states() -> None:
    given = spec.given(DECLARED, RESOLVED)
    given.when(incident.correct_milestone, at=NEXT_DAY, **asked(999, "resolved", ELEVEN, NOON)).then_refused("no fact of incident:INC-7")
    given.when(incident.correct_milestone, at=NEXT_DAY, **asked(SECOND, "closed", ELEVEN, NOON)).then_refused("it states resolved")
    unknown = incident.Declared(declared_at=TEN, detection_source="customer", severity="low", detected_at=TEN, subject_id=INC, title="Slow")
    question = asked(FIRST, "impact_started", TEN, FOUR_PAST)
    spec.given(unknown).when(incident.correct_milestone, at=NEXT_DAY, **question).then_refused("it states declared and detected")


def test_a_correction_is_not_corrected_itself() -> None:
    given = spec.given(DECLARED, RESOLVED, corrected(SECOND, "resolved", ELEVEN, NOON))
    question = asked(SECOND + 1, "milestone_corrected", NEXT_DAY, NOON)
    given.when(incident.correct_milestone, at=NEXT_DAY, **question).then_refused(f"correct position {SECOND}")


def test_decisions_go_by_the_corrected_times() -> None:
    moved = corrected(SECOND, "resolved", ELEVEN, NOON)
    mitigated = incident.Mitigated(mitigated_at=ELEVEN, subject_id=INC)
    spec.given(DECLARED, RESOLVED).when(incident.mitigate, at=ELEVEN).then_refused("reopen it first")
    spec.given(DECLARED, RESOLVED, moved).when(incident.mitigate, at=ELEVEN).then(mitigated)
    again = (incident.Reopened(reopened_at=HALF_PAST, subject_id=INC), incident.Resolved(resolved_at=NOON, subject_id=INC))
    earlier = corrected(SECOND, "resolved", FOUR_PAST, TEN)
    first = incident.Resolved(resolved_at=FOUR_PAST, subject_id=INC)
    spec.given(DECLARED, first, *again, earlier).when(incident.mitigate, at=ELEVEN).then(mitigated)
    impact = corrected(FIRST, "impact_started", TEN, FOUR_PAST)
    spec.given(DECLARED, impact).when(incident.state_impact, at=NOON, impact_started_at=FOUR_PAST).then_nothing()
