"""Corrections of outages and of error budgets: with a reason, and by two people."""

from __future__ import annotations

from typing import Any

import pytest

from opsledger.domain import error_budget, outage
from opsledger.testing import Spec, at

TEN, HALF_PAST, NOON = at("2026-03-02T10:00:00Z"), at("2026-03-02T10:30:00Z"), at("2026-03-02T12:00:00Z")
PEOPLE = {"requested_by": "u-7", "approved_by": "u-8", "reason": "The probes could not reach us, customers could"}

service = Spec("outage:platform")
ASKED: dict[str, Any] = {"start_at": TEN, "end_at": HALF_PAST, "was": "down", "to": "up", "incident_id": "INC-7", **PEOPLE}
RECLASSIFIED = outage.Reclassified(
    reclassified_at=NOON,
    service_id="platform",
    start_at=TEN,
    end_at=HALF_PAST,
    was="down",
    now="up",
    incident_id="INC-7",
    subject_id="outage:platform",
    **PEOPLE,
)


def test_a_stretch_is_reclassified_with_both_classes_and_both_people() -> None:
    service.when(outage.reclassify, at=NOON, **ASKED).then(RECLASSIFIED)


def test_the_same_reclassification_again_adds_nothing_and_its_opposite_does() -> None:
    service.given(RECLASSIFIED).when(outage.reclassify, at=at("2026-03-03T12:00:00Z"), **ASKED).then_nothing()
    back = service.given(RECLASSIFIED).when(outage.reclassify, at=NOON, **{**ASKED, "was": "up", "to": "down"})
    assert [fact.now for fact in back.facts] == ["down"]


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({"approved_by": "u-7"}, "name another approver"),
        ({"reason": " "}, "say why"),
        ({"to": "down"}, "held to be down already"),
        ({"end_at": TEN}, "does not run forwards"),
        ({"end_at": at("2026-03-02T12:00:01Z")}, "has not come yet"),
    ],
)
def test_what_is_no_reclassification_is_refused(changed: dict[str, Any], refusal: str) -> None:
    service.when(outage.reclassify, at=NOON, **{**ASKED, **changed}).then_refused(refusal)


objective = Spec("error_budget:api-uptime")
GIVEN_BACK: dict[str, Any] = {"applies_at": TEN, "unit": "us", "given_back": 600_000_000, **PEOPLE}
ADJUSTED = error_budget.Adjusted(adjusted_at=NOON, slo_id="api-uptime", subject_id="error_budget:api-uptime", **GIVEN_BACK)


def test_a_budget_is_adjusted_apart_from_what_was_measured() -> None:
    objective.when(error_budget.adjust, at=NOON, **GIVEN_BACK).then(ADJUSTED)
    taken = objective.given(ADJUSTED).when(error_budget.adjust, at=NOON, **{**GIVEN_BACK, "given_back": -600_000_000})
    assert [fact.given_back for fact in taken.facts] == [-600_000_000]


def test_the_same_adjustment_at_the_same_instant_adds_nothing_and_later_it_adds_up() -> None:
    objective.given(ADJUSTED).when(error_budget.adjust, at=NOON, **GIVEN_BACK).then_nothing()
    later = objective.given(ADJUSTED).when(error_budget.adjust, at=at("2026-03-02T12:00:01Z"), **GIVEN_BACK)
    assert len(later.facts) == 1


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({"approved_by": "u-7"}, "name another approver"),
        ({"reason": ""}, "say why"),
        ({"given_back": 0}, "changes nothing"),
        ({"applies_at": at("2026-03-02T12:00:01Z")}, "has not come yet"),
    ],
)
def test_what_is_no_adjustment_is_refused(changed: dict[str, Any], refusal: str) -> None:
    objective.when(error_budget.adjust, at=NOON, **{**GIVEN_BACK, **changed}).then_refused(refusal)
