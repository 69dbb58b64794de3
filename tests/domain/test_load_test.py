"""Recording a load test, and taking one back."""

from __future__ import annotations

from typing import Any

from opsledger.domain import load_test
from opsledger.testing import Spec, at

spec = Spec("load_test:LT-1")
NINE, TEN = at("2026-03-02T09:00:00Z"), at("2026-03-02T10:00:00Z")
TRIED: dict[str, Any] = {
    "service_id": "api",
    "quantity": "requests_per_minute",
    "started_at": NINE,
    "offered": 60_000,
    "served": 50_000,
    "environment": "staging",
}
COMPLETED = load_test.Completed(completed_at=TEN, target=50_000, policy=spec.policy, **TRIED)
TAKEN_BACK: dict[str, Any] = {"reason": "Another service's", "requested_by": "u-1", "approved_by": "u-2"}
WITHDRAWN = load_test.Withdrawn(withdrawn_at=TEN, subject_id="load_test:LT-1", **TAKEN_BACK)


def test_a_load_test_is_recorded_with_what_the_operating_model_promises() -> None:
    spec.when(load_test.complete, at=TEN, **TRIED).then(COMPLETED)
    promised = {"concurrent_users": 10_000, "documents_per_hour": 1000}
    for quantity, target in promised.items():
        (fact,) = spec.when(load_test.complete, at=TEN, **{**TRIED, "quantity": quantity}).facts
        assert fact.target == target


def test_a_load_test_is_recorded_once_takes_time_and_serves_no_more_than_was_offered() -> None:
    spec.given(COMPLETED).when(load_test.complete, at=TEN, **TRIED).then_refused("record this test under another id")
    spec.when(load_test.complete, at=NINE, **TRIED).then_refused("there is no time")
    spec.when(load_test.complete, at=TEN, **{**TRIED, "served": 60_001}).then_refused("count them again")


def test_a_load_test_is_taken_back_by_two_people_with_a_reason() -> None:
    spec.given(COMPLETED).when(load_test.withdraw, at=TEN, **TAKEN_BACK).then(WITHDRAWN)
    spec.given(COMPLETED, WITHDRAWN).when(load_test.withdraw, at=TEN, **TAKEN_BACK).then_nothing()
    spec.given(COMPLETED).when(load_test.withdraw, at=TEN, **{**TAKEN_BACK, "approved_by": "u-1"}).then_refused("cannot approve it too")
    spec.given(COMPLETED).when(load_test.withdraw, at=TEN, **{**TAKEN_BACK, "reason": ""}).then_refused("say why")
    spec.when(load_test.withdraw, at=TEN, **TAKEN_BACK).then_refused("has no facts")
