"""Decisions from the cause of an incident to its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from opsledger.domain import incident
from opsledger.testing import Spec, at

INC = "incident:INC-7"
spec = Spec(INC)
FOUR_PAST = at("2026-03-02T10:04:00Z")
QUARTER = at("2026-03-02T10:15:00Z")
HALF_PAST = at("2026-03-02T10:30:00Z")
ELEVEN = at("2026-03-02T11:00:00Z")
NOON = at("2026-03-02T12:00:00Z")
ONE = at("2026-03-02T13:00:00Z")
NEXT_DAY = at("2026-03-03T09:00:00Z")
DECLARED = incident.Declared(
    declared_at=FOUR_PAST, detection_source="monitoring", severity="high", detected_at=FOUR_PAST, subject_id=INC, title="The API is down"
)
DECLARED_LATE = incident.Declared(
    declared_at=NEXT_DAY, detection_source="third_party", severity="high", detected_at=FOUR_PAST, subject_id=INC, title="The API was down"
)
RESOLVED = incident.Resolved(resolved_at=ELEVEN, subject_id=INC)
CLOSED = incident.Closed(closed_at=NOON)
REOPENED = incident.Reopened(reopened_at=ONE, subject_id=INC)


# Cause, mitigation, validation, rollout.


def test_the_root_cause_is_recorded_also_after_the_end() -> None:
    cause = incident.RootCauseIdentified(
        identified_at=ONE, category="deployment", change_id="CHG-3", subject_id=INC, cause="A missing index"
    )
    asked = {"cause": "A missing index", "category": "deployment", "change_id": "CHG-3"}
    spec.given(DECLARED, RESOLVED, CLOSED).when(incident.identify_root_cause, at=ONE, **asked).then(cause)
    spec.given(DECLARED, cause).when(incident.identify_root_cause, at=ONE, **asked).then_nothing()


def test_a_root_cause_understood_earlier_is_recorded_late() -> None:
    known = incident.RootCauseIdentified(identified_at=ONE, subject_id=INC, cause="A missing index")
    late = incident.RootCauseIdentified(identified_at=QUARTER, subject_id=INC, cause="Too few workers")
    spec.given(DECLARED, known).when(incident.identify_root_cause, at=QUARTER, cause="Too few workers").then(late)


Once = tuple[Callable[..., Any], Callable[..., Any], str, str]
MITIGATE: Once = (incident.mitigate, incident.Mitigated, "mitigated_at", "action")
VALIDATE: Once = (incident.validate_fix, incident.FixValidated, "validated_at", "evidence")


@pytest.mark.parametrize(("decision", "made", "when", "words"), [MITIGATE, VALIDATE])
def test_a_mitigation_or_validation_is_recorded_once_for_an_instant(
    decision: Callable[..., Any], made: Callable[..., Any], when: str, words: str
) -> None:
    told = made(**{when: HALF_PAST, words: "Traffic goes round it"}, subject_id=INC)
    spec.given(DECLARED).when(decision, at=HALF_PAST, **{words: "Traffic goes round it"}).then(told)
    spec.given(DECLARED, told).when(decision, at=HALF_PAST).then_nothing()
    again = made(**{when: NOON}, subject_id=INC)
    spec.given(DECLARED, told).when(decision, at=NOON).then(again)
    earlier = made(**{when: QUARTER}, subject_id=INC)
    spec.given(DECLARED, told).when(decision, at=QUARTER).then(earlier)


def test_a_resolved_incident_takes_no_mitigation_but_one_from_before() -> None:
    spec.given(DECLARED, RESOLVED).when(incident.mitigate, at=ELEVEN).then_refused("reopen it first")
    before = incident.Mitigated(mitigated_at=HALF_PAST, subject_id=INC)
    spec.given(DECLARED, RESOLVED, CLOSED).when(incident.mitigate, at=HALF_PAST).then(before)


def test_a_fix_is_validated_after_the_resolution_but_not_after_the_closure() -> None:
    validated = incident.FixValidated(validated_at=HALF_PAST, subject_id=INC)
    spec.given(DECLARED, RESOLVED).when(incident.validate_fix, at=ONE).then(incident.FixValidated(validated_at=ONE, subject_id=INC))
    spec.given(DECLARED, RESOLVED, CLOSED).when(incident.validate_fix, at=NOON).then_refused("reopen it first")
    spec.given(DECLARED, RESOLVED, CLOSED).when(incident.validate_fix, at=HALF_PAST).then(validated)


def test_a_rollout_advances_and_is_taken_back() -> None:
    ten = incident.RolloutAdvanced(advanced_at=HALF_PAST, rollout_pct=10, change_id="CHG-4")
    back = incident.RolloutAdvanced(advanced_at=ELEVEN, rollout_pct=0)
    spec.given(DECLARED).when(incident.advance_rollout, at=HALF_PAST, rollout_pct=10, change_id="CHG-4").then(ten)
    spec.given(DECLARED, ten).when(incident.advance_rollout, at=ELEVEN, rollout_pct=10).then_nothing()
    spec.given(DECLARED, ten).when(incident.advance_rollout, at=ELEVEN, rollout_pct=0).then(back)


@pytest.mark.parametrize("rollout_pct", [-1, 101])
def test_a_rollout_reaches_from_nothing_to_all_of_production(rollout_pct: int) -> None:
    spec.given(DECLARED).when(incident.advance_rollout, at=HALF_PAST, rollout_pct=rollout_pct).then_refused("say 0 to 100")


def test_a_rollout_is_recorded_late_but_not_after_the_closure() -> None:
    half = incident.RolloutAdvanced(advanced_at=HALF_PAST, rollout_pct=50)
    tenth = incident.RolloutAdvanced(advanced_at=QUARTER, rollout_pct=10)
    spec.given(DECLARED, half, RESOLVED, CLOSED).when(incident.advance_rollout, at=QUARTER, rollout_pct=10).then(tenth)
    spec.given(DECLARED, half, tenth).when(incident.advance_rollout, at=ELEVEN, rollout_pct=50).then_nothing()
    spec.given(DECLARED, RESOLVED, CLOSED).when(incident.advance_rollout, at=NOON, rollout_pct=100).then_refused("reopen it first")


# Resolution, reopening, closure.


def test_an_incident_is_resolved_once() -> None:
    told = incident.Resolved(resolved_at=ELEVEN, subject_id=INC, resolution="The index is back")
    spec.given(DECLARED).when(incident.resolve, at=ELEVEN, resolution="The index is back").then(told)
    spec.given(DECLARED, told).when(incident.resolve, at=ELEVEN).then_nothing()
    spec.given(DECLARED, told).when(incident.resolve, at=NOON).then_refused("reopen it first")


def test_an_earlier_resolution_is_recorded_late() -> None:
    early = incident.Resolved(resolved_at=HALF_PAST, subject_id=INC)
    spec.given(DECLARED, RESOLVED).when(incident.resolve, at=HALF_PAST).then(early)


def test_an_incident_declared_the_day_after_was_resolved_before_that() -> None:
    spec.given(DECLARED_LATE).when(incident.resolve, at=ELEVEN).then(RESOLVED)
    spec.given(DECLARED_LATE, RESOLVED).when(incident.resolve, at=NOON).then_refused("reopen it first")
    spec.given(DECLARED_LATE, RESOLVED).when(incident.close, at=NEXT_DAY).then(incident.Closed(closed_at=NEXT_DAY))


def test_what_was_not_gone_is_reopened_also_when_it_was_closed() -> None:
    again = incident.Reopened(reopened_at=ONE, subject_id=INC, reason="It is back")
    spec.given(DECLARED, RESOLVED).when(incident.reopen, at=ONE, reason="It is back").then(again)
    spec.given(DECLARED, RESOLVED, CLOSED).when(incident.reopen, at=ONE).then(REOPENED)


def test_an_open_incident_is_not_reopened() -> None:
    spec.given(DECLARED).when(incident.reopen, at=ONE).then_nothing()
    spec.given(DECLARED, RESOLVED, REOPENED).when(incident.reopen, at=ONE).then_nothing()


def test_a_reopening_from_before_the_present_resolution_is_recorded_late() -> None:
    resolved_again = incident.Resolved(resolved_at=NEXT_DAY, subject_id=INC)
    spec.given(DECLARED, resolved_at_half_past(), resolved_again).when(incident.reopen, at=ONE).then(REOPENED)
    spec.given(DECLARED, resolved_at_half_past(), resolved_again, REOPENED).when(incident.resolve, at=NEXT_DAY).then_nothing()
    between = incident.Reopened(reopened_at=ELEVEN, subject_id=INC)
    spec.given(DECLARED, resolved_at_half_past(), REOPENED).when(incident.reopen, at=ELEVEN).then(between)


def test_a_reopened_incident_takes_what_a_resolved_one_does_not() -> None:
    mitigated = incident.Mitigated(mitigated_at=NEXT_DAY, subject_id=INC)
    spec.given(DECLARED, RESOLVED, CLOSED, REOPENED).when(incident.mitigate, at=NEXT_DAY).then(mitigated)


def test_a_resolved_incident_is_closed_once() -> None:
    spec.given(DECLARED, RESOLVED).when(incident.close, at=NOON).then(CLOSED)
    spec.given(DECLARED, RESOLVED, CLOSED).when(incident.close, at=ONE).then_nothing()


def test_an_open_incident_is_not_closed() -> None:
    spec.given(DECLARED).when(incident.close, at=NOON).then_refused("resolve it first")
    spec.given(DECLARED, RESOLVED, REOPENED).when(incident.close, at=ONE).then_refused("resolve it first")


def test_a_closure_from_before_the_reopening_is_recorded_late() -> None:
    spec.given(DECLARED, RESOLVED, REOPENED).when(incident.close, at=NOON).then(CLOSED)
    spec.given(DECLARED, RESOLVED, REOPENED, CLOSED).when(incident.close, at=ONE).then_refused("resolve it first")


def resolved_at_half_past() -> incident.Resolved:
    return incident.Resolved(resolved_at=HALF_PAST, subject_id=INC)
